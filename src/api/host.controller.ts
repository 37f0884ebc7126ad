import { Body, Controller, Get, Inject, Put, Query, Req } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Request } from 'express';
import { release } from 'node:os';
import { DecisionService } from '../decision/decision.service.js';
import { withoutControls } from '../documents/located-yaml.js';
import type { HostSwitch } from '../host/host-switch.js';
import type { ParametersInForce } from '../host/vfio-parameters/parameters-in-force.js';
import { LocatedError } from '../located-error.js';
import type { Journal } from '../store/journal.js';
import { callerOf } from './access/caller.js';
import { RequiresRole } from './access/role.guard.js';
import type { Component } from './components.js';
import { HOST_EXAMPLE, MODE_EXAMPLE } from './examples/host.js';
import { HostAnswer, ModeRequest, ModeView, ParametersView } from './host.dto.js';
import { COMPONENTS, HOST_NAME, HOST_SWITCH, JOURNAL, PARAMETERS, VERSION } from './injection.js';
import { Answer } from './openapi.js';
import { ProblemError } from './problem-details.js';
import { NoQuery } from './query-fields.js';

@ApiTags('host')
@Controller('v1/host')
export class HostController {
  constructor(
    private readonly decisions: DecisionService,
    @Inject(HOST_SWITCH) private readonly hostSwitch: HostSwitch,
    @Inject(COMPONENTS) private readonly components: readonly Component[],
    @Inject(JOURNAL) private readonly journal: Journal,
    @Inject(HOST_NAME) private readonly hostName: string,
    @Inject(PARAMETERS) private readonly parameters: () => ParametersInForce | undefined,
    @Inject(VERSION) private readonly version: string,
  ) {}

  @Get()
  @ApiOperation({ summary: 'What this host can enforce, its switch, and the state of each component' })
  @Answer(HostAnswer, 'The host.', HOST_EXAMPLE)
  show(@Query() _query: NoQuery): HostAnswer {
    const { host, policy, risks, inventory } = this.decisions.basis;
    const parameters = this.parameters();
    return {
      name: this.hostName,
      mode: this.modeNow(),
      capabilities: host,
      ...(parameters && { parameters: viewOf(parameters) }),
      components: this.components.map((component) => ({
        name: component.name,
        critical: component.critical,
        ...component.status(),
      })),
      versions: {
        service: this.version,
        node: process.version,
        kernel: release(),
        ...(host.qemuVersion !== undefined && { qemu: host.qemuVersion }),
      },
      revisions: { policy: policy.revision, risks: risks.revision, inventory: inventory.revision },
    };
  }

  @Put('mode')
  @RequiresRole('operate')
  @ApiOperation({
    summary: 'Turn the switch of the host',
    description: 'Acts on the next decision, and stays over a restart. Recorded as the event `mode-changed`.',
  })
  @Answer(ModeView, 'What holds now.', MODE_EXAMPLE)
  async setMode(
    @Body() { mode, reason }: ModeRequest,
    @Query() _query: NoQuery,
    @Req() request: Request,
  ): Promise<ModeView> {
    const before = this.hostSwitch.mode;
    await this.turn(mode);
    this.journal.event({
      host: this.hostName,
      at: new Date().toISOString(),
      kind: 'mode-changed',
      actor: callerOf(request)?.actor,
      detail: `${before} -> ${mode}${reason ? `: ${withoutControls(reason)}` : ''}`,
    });
    return this.modeNow();
  }

  private async turn(mode: ModeRequest['mode']): Promise<void> {
    try {
      await this.hostSwitch.set(mode);
    } catch (error) {
      if (!(error instanceof LocatedError)) throw error;
      const { problem, place, remedy } = error;
      throw new ProblemError(503, problem, { place, remedy });
    }
  }

  private modeNow(): ModeView {
    const { mode, source, problem } = this.hostSwitch;
    return { mode, source, ...(problem && { problem: problem.message }) };
  }
}

function viewOf({ module, wanted, configured, live, verified }: ParametersInForce): ParametersView {
  return { ...(module && { module }), ...wanted, configured, live, verified };
}
