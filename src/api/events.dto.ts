import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { EVENT_KINDS, type EventKind, type StoredEvent } from '../store/records.js';
import { PageQuery, TextParameter, WordParameter } from './query-fields.js';

export class EventsQuery extends PageQuery {
  @TextParameter('Id of the decision that the event refers to.', 'wd-6f1d3a5c8e2b4f7a9c0d1e2f')
  decisionId?: string;

  @TextParameter('Name or UUID of a domain.', 'instance-0000002a')
  domain?: string;

  @WordParameter(EVENT_KINDS, 'Only events of this kind.')
  kind?: EventKind;

  @TextParameter('Name of a node.', 'node-1')
  host?: string;
}

export class StoredEventView implements StoredEvent {
  @ApiProperty({ type: 'integer', description: 'Place in the order of all events.' })
  sequence!: number;

  @ApiProperty()
  host!: string;

  @ApiProperty({ format: 'date-time' })
  at!: string;

  @ApiProperty({ enum: EVENT_KINDS })
  kind!: EventKind;

  @ApiPropertyOptional()
  decisionId?: string;

  @ApiPropertyOptional({ format: 'uuid' })
  domainUuid?: string;

  @ApiPropertyOptional()
  domainName?: string;

  @ApiPropertyOptional({ description: 'Who asked for it, where that is known: `unix`, `token:NAME`.' })
  actor?: string;

  @ApiProperty({ description: 'In words.' })
  detail!: string;
}

export class EventPage {
  @ApiProperty({ type: [StoredEventView], description: 'Newest first.' })
  items!: StoredEventView[];

  @ApiPropertyOptional({ description: 'Give it as `cursor` to get what follows; absent on the last page.' })
  next?: string;
}
