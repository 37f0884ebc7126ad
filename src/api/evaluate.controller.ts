import { Body, Controller, HttpCode, Post, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { DecisionService } from '../decision/decision.service.js';
import { explain, namerOf } from '../decision/explanation.js';
import { PciIds } from '../pci/pci-ids.js';
import { Metrics } from '../metrics/metrics.js';
import { EvaluateRequest, EvaluateResponse } from './evaluate.dto.js';
import { EVALUATE_EXAMPLE } from './examples/decisions.js';
import { Answer } from './openapi.js';
import { printable } from './printable.js';
import { NoQuery } from './query-fields.js';

@ApiTags('decisions')
@Controller('v1/evaluate')
export class EvaluateController {
  constructor(
    private readonly decisions: DecisionService,
    private readonly names: PciIds,
    private readonly metrics: Metrics,
  ) {}

  @Post()
  @HttpCode(200)
  @ApiOperation({ summary: 'Decide about a domain without changing anything' })
  @Answer(EvaluateResponse, 'The decision; nothing of it is recorded.', EVALUATE_EXAMPLE)
  evaluate(@Body() request: EvaluateRequest, @Query() _query: NoQuery): EvaluateResponse {
    const { xml, domainState, hostdevNetworks } = request;
    const start = performance.now();
    const result = this.decisions.evaluate({
      xml,
      domainState,
      hostdevNetworks,
      evaluatedAt: new Date().toISOString(),
    });
    this.metrics.decided('rest', result.decision.verdict, (performance.now() - start) / 1000);
    return { ...result, explanation: printable(explain(result.decision, namerOf(this.names))) };
  }
}
