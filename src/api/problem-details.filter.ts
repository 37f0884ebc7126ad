import { Catch, HttpException, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { Response } from 'express';
import { LocatedError } from '../located-error.js';
import { problem, ProblemError, sendProblem, type ProblemDetails } from './problem-details.js';

/** Answers every error as problem details; what is not a refusal of input is logged and tells the client nothing. */
@Catch()
export class ProblemDetailsFilter implements ExceptionFilter {
  private readonly logger = new Logger(ProblemDetailsFilter.name);

  catch(error: unknown, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<Response>();
    const details = this.toProblem(error);
    // An answer that has begun can only be broken off.
    if (response.headersSent) response.destroy();
    else sendProblem(response, details);
  }

  private toProblem(error: unknown): ProblemDetails {
    if (error instanceof ProblemError) return error.details;
    if (error instanceof LocatedError) {
      return problem(400, error.problem, { place: error.place, remedy: error.remedy });
    }
    if (error instanceof HttpException) return problem(error.getStatus(), messageOf(error));
    // Errors of the body parser carry their own status (413 for a body that is too large).
    const { status } = error as { status?: unknown };
    if (typeof status === 'number' && status >= 400 && status < 500) {
      return problem(status, (error as Error).message);
    }
    this.logger.error(error instanceof Error ? (error.stack ?? error.message) : String(error));
    return problem(500);
  }
}

function messageOf(error: HttpException): string {
  const response = error.getResponse();
  const message = typeof response === 'object' && 'message' in response ? response.message : error.message;
  return Array.isArray(message) ? message.join('; ') : String(message);
}
