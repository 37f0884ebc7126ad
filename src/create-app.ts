import { ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import * as transformerPackage from 'class-transformer';
import * as validatorPackage from 'class-validator';
import type { NextFunction, Request, Response } from 'express';
import { authenticate } from './api/access/authenticate.js';
import { describeApi } from './api/openapi.js';
import { ProblemDetailsFilter } from './api/problem-details.filter.js';
import { AppModule, type AppParts } from './app.module.js';

/** A document of 4 MiB in JSON, with room for its escapes. */
const BODY_LIMIT = '9mb';

/** The REST service, for `listen()`. OpenAPI is at `/openapi` and `/openapi-json`. */
export async function createApp(parts: AppParts): Promise<NestExpressApplication> {
  const app = await NestFactory.create<NestExpressApplication>(AppModule.of(parts), {
    logger: ['warn', 'error'],
    bodyParser: false,
  });
  app.disable('x-powered-by');
  // What is decided now may not be shown later as if it were now.
  app.disable('etag');
  app.use(protectAnswers);
  app.use(authenticate(parts.tokens));
  app.useBodyParser('json', { limit: BODY_LIMIT });
  const strictly = { whitelist: true, forbidNonWhitelisted: true, transform: true };
  // Named, since what Nest would import by itself is not bundled as what the decorators are of.
  app.useGlobalPipes(new ValidationPipe({ ...strictly, transformerPackage, validatorPackage }));
  app.useGlobalFilters(new ProblemDetailsFilter());
  describeApi(app, parts.version);
  return app;
}

function protectAnswers(_request: Request, response: Response, next: NextFunction): void {
  response.setHeader('Cache-Control', 'no-store');
  response.setHeader('X-Content-Type-Options', 'nosniff');
  next();
}
