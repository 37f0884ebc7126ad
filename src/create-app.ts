import { ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { AppModule } from './app.module.js';
import type { DecisionBasis } from './decision/decision.service.js';
import type { PciIds } from './pci/pci-ids.js';
import { ProblemDetailsFilter } from './api/problem-details.filter.js';

/** A document of 4 MiB in JSON, with room for its escapes. */
const BODY_LIMIT = '9mb';

/** The REST service, ready to listen. OpenAPI is at `/openapi` and `/openapi-json`. */
export async function createApp(basis: DecisionBasis, names: PciIds): Promise<NestExpressApplication> {
  const app = await NestFactory.create<NestExpressApplication>(AppModule.decidingBy(basis, names), {
    logger: ['log', 'warn', 'error'],
    bodyParser: false,
  });
  app.useBodyParser('json', { limit: BODY_LIMIT });
  app.useGlobalPipes(new ValidationPipe({ whitelist: true, forbidNonWhitelisted: true, transform: true }));
  app.useGlobalFilters(new ProblemDetailsFilter());
  app.enableShutdownHooks();
  const description = new DocumentBuilder()
    .setTitle('vfio-warden')
    .setDescription('What a guest may reach of its passed-through PCI devices, and why.')
    .setVersion('v1')
    .build();
  SwaggerModule.setup('openapi', app, () => SwaggerModule.createDocument(app, description));
  return app;
}
