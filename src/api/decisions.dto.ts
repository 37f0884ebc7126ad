import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { Decision, Verdict } from '../decision/decision.js';
import { SURFACES, type Occasion, type Surface } from '../decision/occasion.js';
import type { DecisionRecord, DecisionSummary } from '../store/records.js';
import { StoredEventView } from './events.dto.js';
import { DeviceParameter, PageQuery, TextParameter, TimeParameter, WordParameter } from './query-fields.js';

const VERDICT_WORDS: Record<Verdict, true> = {
  unrestricted: true,
  exempt: true,
  observed: true,
  restricted: true,
  denied: true,
};
export const VERDICTS = Object.keys(VERDICT_WORDS) as Verdict[];

export class DecisionsQuery extends PageQuery {
  @TextParameter('Name or UUID of a domain.', 'instance-0000002a')
  domain?: string;

  @DeviceParameter('A device that the decision speaks of.')
  device?: string;

  @WordParameter(VERDICTS, 'Only decisions with this verdict.')
  verdict?: Verdict;

  @TextParameter('Name of the node that decided.', 'node-1')
  host?: string;

  @TimeParameter('Not before this time.')
  since?: string;

  @TimeParameter('Before this time.')
  until?: string;
}

export class DecisionSummaryView implements DecisionSummary {
  @ApiProperty({ description: 'Names the decision for ever.' })
  id!: string;

  @ApiProperty({ description: 'Name of the node that decided.' })
  host!: string;

  @ApiProperty({ format: 'date-time' })
  at!: string;

  @ApiProperty({ enum: SURFACES, description: 'Where it was asked for.' })
  surface!: Surface;

  @ApiProperty({ description: 'What was going on: define, create, attach, start, ...' })
  operation!: string;

  @ApiProperty()
  domainName!: string;

  @ApiPropertyOptional({ format: 'uuid' })
  domainUuid?: string;

  @ApiProperty({ enum: VERDICTS })
  verdict!: Verdict;

  @ApiProperty({ type: [String], description: 'Addresses of the devices that it speaks of.' })
  devices!: string[];
}

export class DecisionPage {
  @ApiProperty({ type: [DecisionSummaryView], description: 'Newest first.' })
  items!: DecisionSummaryView[];

  @ApiPropertyOptional({ description: 'Give it as `cursor` to get what follows; absent on the last page.' })
  next?: string;
}

class OccasionView implements Occasion {
  @ApiProperty({ enum: SURFACES })
  surface!: Surface;

  @ApiProperty()
  operation!: string;
}

export class DecisionRecordView implements DecisionRecord {
  @ApiProperty({
    type: 'object',
    additionalProperties: true,
    description:
      'The decision as it was made: id, inputs, domain, verdict, devices (findings, rule, plan, residual exposure), ' +
      'edits, moves, problems.',
  })
  decision!: Decision;

  @ApiProperty({ type: OccasionView })
  occasion!: Occasion;

  @ApiProperty({ description: 'Name of the node that decided.' })
  host!: string;
}

export class DecisionAnswer {
  @ApiProperty({ type: DecisionRecordView })
  record!: DecisionRecord;

  @ApiProperty({ type: [StoredEventView], description: 'What happened to it, newest first; the last 1000.' })
  events!: StoredEventView[];

  @ApiProperty({ description: 'The decision in words.' })
  explanation!: string;
}
