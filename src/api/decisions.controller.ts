import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { explain, namerOf } from '../decision/explanation.js';
import { PciIds } from '../pci/pci-ids.js';
import type { DecisionSummary } from '../store/records.js';
import type { Page } from '../store/store.js';
import { DecisionAnswer, DecisionPage, DecisionsQuery } from './decisions.dto.js';
import { DECISION_ANSWER_EXAMPLE, DECISION_PAGE_EXAMPLE } from './examples/decisions.js';
import { Answer, AnswerNotFound } from './openapi.js';
import { printable } from './printable.js';
import { ProblemError } from './problem-details.js';
import { NoQuery } from './query-fields.js';
import { StoreQueries } from './store-queries.js';

/** More than ever happens to one decision. */
const MAX_EVENTS = 1000;

const NOT_FOUND = [
  'there is no such decision',
  'It may be older than decisions are kept; GET /v1/decisions lists them.',
] as const;

@ApiTags('decisions')
@Controller('v1/decisions')
export class DecisionsController {
  constructor(
    private readonly store: StoreQueries,
    private readonly names: PciIds,
  ) {}

  @Get()
  @ApiOperation({ summary: 'Decisions, newest first' })
  @Answer(DecisionPage, 'One page.', DECISION_PAGE_EXAMPLE)
  list(@Query() query: DecisionsQuery): Promise<Page<DecisionSummary>> {
    return this.store.ask((store) => store.decisions(query));
  }

  @Get(':id')
  @ApiOperation({ summary: 'A decision, what happened to it, and both in words' })
  @Answer(DecisionAnswer, 'The decision.', DECISION_ANSWER_EXAMPLE)
  @AnswerNotFound(...NOT_FOUND)
  async show(@Param('id') id: string, @Query() _query: NoQuery): Promise<DecisionAnswer> {
    const [record, events] = await this.store.ask((store) =>
      Promise.all([store.decision(id), store.events({ decisionId: id, limit: MAX_EVENTS })]),
    );
    if (!record) throw new ProblemError(404, NOT_FOUND[0], { place: id, remedy: NOT_FOUND[1] });
    return {
      record,
      events: events.items,
      explanation: printable(explain(record.decision, namerOf(this.names))),
    };
  }
}
