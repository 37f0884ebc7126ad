import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { Verdict } from '../decision/decision.js';
import type { DecisionRecord, DomainOwner, DomainRecord } from '../store/records.js';
import { DecisionRecordView, VERDICTS } from './decisions.dto.js';
import { StoredEventView } from './events.dto.js';
import { DeviceParameter, FlagParameter, PageQuery, TextParameter } from './query-fields.js';

export class DomainsQuery extends PageQuery {
  @TextParameter('Name of a node.', 'node-1')
  host?: string;

  @FlagParameter('Whether it runs.')
  active?: boolean;

  @FlagParameter('Also those that neither run nor are defined any more.')
  gone?: boolean;

  @FlagParameter('Whether it runs, or would start, without what policy asks for.')
  unprotected?: boolean;

  @FlagParameter('Whether it runs without what policy asks for now, and cannot follow before its next start.')
  stale?: boolean;

  @DeviceParameter('A device that it is assigned.')
  device?: string;

  @TextParameter(
    'Part of its name, UUID, or of what its owner is called: instance, project, flavor.',
    'web-1',
  )
  text?: string;
}

export class DomainKeyQuery {
  @TextParameter('Name of the node that it is on; without it this one.', 'node-1')
  host?: string;
}

class DomainOwnerView implements DomainOwner {
  @ApiPropertyOptional()
  instanceName?: string;

  @ApiPropertyOptional()
  projectId?: string;

  @ApiPropertyOptional()
  projectName?: string;

  @ApiPropertyOptional()
  userName?: string;

  @ApiPropertyOptional()
  flavor?: string;
}

export class DomainView implements DomainRecord {
  @ApiProperty({ description: 'Name of the node that it is on.' })
  host!: string;

  @ApiProperty({ format: 'uuid' })
  uuid!: string;

  @ApiProperty()
  name!: string;

  @ApiProperty({ type: DomainOwnerView, description: 'How a control plane names it, from its metadata.' })
  owner!: DomainOwner;

  @ApiProperty({ description: 'Whether it runs now.' })
  active!: boolean;

  @ApiProperty()
  persistent!: boolean;

  @ApiProperty({
    enum: ['new', 'has-run', 'unknown'],
    description: 'Whether its guest has ever seen its hardware.',
  })
  state!: DomainRecord['state'];

  @ApiProperty({
    type: [String],
    description: 'Functions that it ran with where an edit of ours had put them.',
  })
  ranRestricted!: string[];

  @ApiPropertyOptional({ description: 'The decision about it that is in force.' })
  decisionId?: string;

  @ApiPropertyOptional({ enum: VERDICTS })
  verdict?: Verdict;

  @ApiProperty({ description: 'Whether it runs, or would start, without what policy asks for.' })
  unprotected!: boolean;

  @ApiPropertyOptional({
    description:
      'Of a running domain that does not have what policy asks for now: what would bring it up to date.',
  })
  stale?: string;

  @ApiProperty({ type: [String], description: 'Addresses of its assigned devices.' })
  devices!: string[];

  @ApiProperty({ format: 'date-time' })
  updatedAt!: string;
}

export class DomainPage {
  @ApiProperty({ type: [DomainView], description: 'By name.' })
  items!: DomainView[];

  @ApiPropertyOptional({ description: 'Give it as `cursor` to get what follows; absent on the last page.' })
  next?: string;
}

export class DomainExplanation {
  @ApiProperty({ type: DomainView })
  domain!: DomainRecord;

  @ApiPropertyOptional({
    type: DecisionRecordView,
    description: 'The decision in force; absent where there is none, or none any more.',
  })
  record?: DecisionRecord;

  @ApiProperty({
    type: [StoredEventView],
    description: 'What happened to the domain, newest first; the last 50.',
  })
  events!: StoredEventView[];

  @ApiProperty({ description: 'All of it in words.' })
  explanation!: string;
}
