import { Controller, Get, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { DecisionService } from '../decision/decision.service.js';
import { parsePciId } from '../risk/pci-id.js';
import { RISKS_EXAMPLE } from './examples/risks.js';
import { sliceOf } from './list-in-memory.js';
import { Answer } from './openapi.js';
import { RisksAnswer, RisksQuery } from './risks.dto.js';

@ApiTags('devices')
@Controller('v1/risks')
export class RisksController {
  constructor(private readonly decisions: DecisionService) {}

  @Get()
  @ApiOperation({ summary: 'The risk database by pages, or what it says of a device' })
  @Answer(RisksAnswer, 'Entries with their evidence.', RISKS_EXAMPLE)
  list(@Query() { id, ...paging }: RisksQuery): RisksAnswer {
    const { risks } = this.decisions.basis;
    const { revision } = risks;
    if (id === undefined) {
      const { from, to, next } = sliceOf('risks', revision, risks.size, paging);
      return { revision, entries: risks.slice(from, to), ...(next !== undefined && { next }) };
    }
    const device = parsePciId(id);
    const entries = [...new Set(risks.lookup(device).map(({ entry }) => entry))];
    return { revision, entries, assessment: risks.assess(device) };
  }
}
