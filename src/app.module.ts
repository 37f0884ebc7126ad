import { Module, type DynamicModule } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { EvaluateController } from './api/evaluate.controller.js';
import { HealthController } from './api/health.controller.js';
import { DecisionService, type DecisionBasis } from './decision/decision.service.js';
import { PciIds } from './pci/pci-ids.js';

@Module({})
export class AppModule {
  /** The service around what it decides by, which is read before anything listens. */
  static decidingBy(basis: DecisionBasis, names: PciIds): DynamicModule {
    return {
      module: AppModule,
      imports: [TerminusModule.forRoot({ logger: false })],
      controllers: [EvaluateController, HealthController],
      providers: [
        { provide: DecisionService, useFactory: () => new DecisionService(basis) },
        { provide: PciIds, useValue: names },
      ],
    };
  }
}
