import { Controller, Get, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { DecisionService } from '../decision/decision.service.js';
import type { PolicySet } from '../policy/policy-set.js';
import { POLICIES_EXAMPLE } from './examples/policies.js';
import { Answer } from './openapi.js';
import { PoliciesAnswer } from './policies.dto.js';
import { NoQuery } from './query-fields.js';

@ApiTags('policies')
@Controller('v1/policies')
export class PoliciesController {
  constructor(private readonly decisions: DecisionService) {}

  @Get()
  @ApiOperation({ summary: 'The rules in force, in order' })
  @Answer(PoliciesAnswer, 'The rules.', POLICIES_EXAMPLE)
  list(@Query() _query: NoQuery): PolicySet {
    return this.decisions.basis.policy;
  }
}
