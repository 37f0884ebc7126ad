import { Controller, Get, Inject, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { HealthCheckService, type HealthCheckResult, type HealthIndicatorResult } from '@nestjs/terminus';
import { DecisionService } from '../decision/decision.service.js';
import type { Component } from './components.js';
import { HEALTH_EXAMPLE, NOT_READY_EXAMPLE, READY_EXAMPLE } from './examples/health.js';
import { HealthAnswer } from './health.dto.js';
import { COMPONENTS } from './injection.js';
import { Answer, AnswerProblem } from './openapi.js';
import { ProblemError } from './problem-details.js';
import { NoQuery } from './query-fields.js';

@ApiTags('health')
@Controller()
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly decisions: DecisionService,
    @Inject(COMPONENTS) private readonly components: readonly Component[],
  ) {}

  @Get('healthz')
  @ApiOperation({ summary: 'Whether the service answers, and what it decides by' })
  @Answer(HealthAnswer, 'It does.', HEALTH_EXAMPLE)
  alive(@Query() _query: NoQuery): Promise<HealthCheckResult> {
    const { policy, risks, inventory, hostMode } = this.decisions.basis;
    return this.health.check([
      () => ({
        basis: {
          status: 'up',
          hostMode,
          policy: policy.revision,
          risks: risks.revision,
          inventory: inventory.revision,
        },
      }),
    ]);
  }

  @Get('readyz')
  @ApiOperation({ summary: 'Whether all that VMs depend on is there' })
  @Answer(HealthAnswer, 'It is; `degraded` names what is not as it should be.', READY_EXAMPLE)
  @AnswerProblem(NOT_READY_EXAMPLE)
  async ready(@Query() _query: NoQuery): Promise<HealthCheckResult> {
    const states = this.components.map(indicatorOf);
    const down = states.filter(([, { status }]) => status === 'down');
    if (down.length > 0) {
      throw new ProblemError(503, down.map(([name, { detail }]) => `${name} is down: ${detail}`).join('; '), {
        components: Object.fromEntries(states),
      });
    }
    return this.health.check([(): HealthIndicatorResult => Object.fromEntries(states)]);
  }
}

interface Indicator {
  status: 'up' | 'degraded' | 'down';
  critical: boolean;
  detail: string;
}

/** What no VM depends on does not make the service unready, so it is `degraded` at worst. */
function indicatorOf(component: Component): [name: string, Indicator] {
  const { name, critical } = component;
  const { state, detail } = component.status();
  return [name, { status: state === 'down' && !critical ? 'degraded' : state, critical, detail }];
}
