import { Controller, Get } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { HealthCheck, HealthCheckService, type HealthCheckResult } from '@nestjs/terminus';
import { DecisionService } from '../decision/decision.service.js';

@ApiTags('health')
@Controller('healthz')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly decisions: DecisionService,
  ) {}

  @Get()
  @HealthCheck()
  @ApiOperation({ summary: 'Whether the service answers, and what it decides by' })
  check(): Promise<HealthCheckResult> {
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
}
