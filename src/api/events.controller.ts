import { Controller, Get, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { StoredEvent } from '../store/records.js';
import type { Page } from '../store/store.js';
import { EventPage, EventsQuery } from './events.dto.js';
import { EVENT_PAGE_EXAMPLE } from './examples/events.js';
import { Answer } from './openapi.js';
import { StoreQueries } from './store-queries.js';

@ApiTags('decisions')
@Controller('v1/events')
export class EventsController {
  constructor(private readonly store: StoreQueries) {}

  @Get()
  @ApiOperation({ summary: 'What happened to decisions, domains and this host, newest first' })
  @Answer(EventPage, 'One page.', EVENT_PAGE_EXAMPLE)
  list(@Query() query: EventsQuery): Promise<Page<StoredEvent>> {
    return this.store.ask((store) => store.events(query));
  }
}
