import { Module, type DynamicModule } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { TerminusModule } from '@nestjs/terminus';
import { RoleGuard } from './api/access/role.guard.js';
import type { TokenRegister } from './api/access/tokens-file.js';
import type { Component } from './api/components.js';
import { DecisionsController } from './api/decisions.controller.js';
import { DevicesController } from './api/devices.controller.js';
import { DomainsController } from './api/domains.controller.js';
import { EvaluateController } from './api/evaluate.controller.js';
import { EventsController } from './api/events.controller.js';
import { HealthController } from './api/health.controller.js';
import { HostController } from './api/host.controller.js';
import {
  COMPONENTS,
  HOST_NAME,
  HOST_SWITCH,
  JOURNAL,
  PARAMETERS,
  POLICY_CONTROL,
  VERSION,
} from './api/injection.js';
import { MetricsController } from './api/metrics.controller.js';
import { PoliciesController } from './api/policies.controller.js';
import { RisksController } from './api/risks.controller.js';
import { StoreQueries } from './api/store-queries.js';
import { DecisionService } from './decision/decision.service.js';
import type { PolicyControl } from './api/policy-control.js';
import type { HostSwitch } from './host/host-switch.js';
import { Metrics } from './metrics/metrics.js';
import { PciIds } from './pci/pci-ids.js';
import type { ParametersInForce } from './host/vfio-parameters/parameters-in-force.js';
import type { Journal } from './store/journal.js';
import type { Store } from './store/store.js';

/** What the API shows and turns; made before anything listens. */
export interface AppParts {
  decisions: DecisionService;
  names: PciIds;
  /** May be away: what needs it is answered with 503 then. */
  store: Store;
  journal: Journal;
  hostSwitch: HostSwitch;
  /** Absent where nobody looks at them. */
  parameters?: () => ParametersInForce | undefined;
  policyControl: PolicyControl;
  components: readonly Component[];
  metrics: Metrics;
  /** Name of this node in decisions and events. */
  hostName: string;
  /** Of vfio-warden. */
  version: string;
  /** Needed over TCP: without it nobody is let in there. */
  tokens?: TokenRegister;
}

@Module({})
export class AppModule {
  static of(parts: AppParts): DynamicModule {
    return {
      module: AppModule,
      imports: [TerminusModule.forRoot({ logger: false })],
      controllers: [
        DecisionsController,
        EvaluateController,
        EventsController,
        DomainsController,
        DevicesController,
        RisksController,
        PoliciesController,
        HostController,
        HealthController,
        MetricsController,
      ],
      providers: [
        { provide: APP_GUARD, useClass: RoleGuard },
        { provide: DecisionService, useValue: parts.decisions },
        { provide: PciIds, useValue: parts.names },
        { provide: StoreQueries, useValue: new StoreQueries(parts.store) },
        { provide: JOURNAL, useValue: parts.journal },
        { provide: HOST_SWITCH, useValue: parts.hostSwitch },
        { provide: PARAMETERS, useValue: parts.parameters ?? (() => undefined) },
        { provide: POLICY_CONTROL, useValue: parts.policyControl },
        { provide: COMPONENTS, useValue: parts.components },
        { provide: Metrics, useValue: parts.metrics },
        { provide: HOST_NAME, useValue: parts.hostName },
        { provide: VERSION, useValue: parts.version },
      ],
    };
  }
}
