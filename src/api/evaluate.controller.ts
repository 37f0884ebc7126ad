import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { DecisionService } from '../decision/decision.service.js';
import { explain, namerOf } from '../decision/explanation.js';
import { PciIds } from '../pci/pci-ids.js';
import { EvaluateRequest, EvaluateResponse } from './evaluate.dto.js';

@ApiTags('decisions')
@Controller('v1/evaluate')
export class EvaluateController {
  constructor(
    private readonly decisions: DecisionService,
    private readonly names: PciIds,
  ) {}

  @Post()
  @HttpCode(200)
  @ApiOperation({ summary: 'Decide about a domain without changing anything' })
  @ApiOkResponse({ type: EvaluateResponse })
  @ApiResponse({
    status: 400,
    description: 'The request or the document cannot be read (RFC 9457 problem details).',
  })
  evaluate(@Body() request: EvaluateRequest): EvaluateResponse {
    const { xml, domainState, hostdevNetworks } = request;
    const result = this.decisions.evaluate({
      xml,
      domainState,
      hostdevNetworks,
      evaluatedAt: new Date().toISOString(),
    });
    return { ...result, explanation: explain(result.decision, namerOf(this.names)) };
  }
}
