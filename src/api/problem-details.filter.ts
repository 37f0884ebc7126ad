import { Catch, HttpException, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { Response } from 'express';
import { LocatedError } from '../located-error.js';

/** RFC 9457. `place` and `remedy` are ours: where the input is wrong, and what to do about it. */
interface ProblemDetails {
  type: string;
  title: string;
  status: number;
  detail?: string;
  place?: string;
  remedy?: string;
}

/** Answers every error as problem details; what is not a refusal of input is logged and tells the client nothing. */
@Catch()
export class ProblemDetailsFilter implements ExceptionFilter {
  private readonly logger = new Logger(ProblemDetailsFilter.name);

  catch(error: unknown, host: ArgumentsHost): void {
    const problem = this.toProblem(error);
    host
      .switchToHttp()
      .getResponse<Response>()
      .status(problem.status)
      .type('application/problem+json')
      .send(JSON.stringify(problem));
  }

  private toProblem(error: unknown): ProblemDetails {
    if (error instanceof LocatedError) {
      const { problem, place, remedy } = error;
      return { type: 'about:blank', title: 'Bad input', status: 400, detail: problem, place, remedy };
    }
    if (error instanceof HttpException) {
      const response = error.getResponse();
      const message =
        typeof response === 'object' && 'message' in response ? response.message : error.message;
      const detail = Array.isArray(message) ? message.join('; ') : String(message);
      return {
        type: 'about:blank',
        title: error.name.replace(/Exception$/, ''),
        status: error.getStatus(),
        detail,
      };
    }
    // Errors of the body parser carry their own status (413 for a body that is too large).
    const { status } = error as { status?: unknown };
    if (typeof status === 'number' && status >= 400 && status < 500) {
      return { type: 'about:blank', title: 'Bad request', status, detail: (error as Error).message };
    }
    this.logger.error(error instanceof Error ? (error.stack ?? error.message) : String(error));
    return { type: 'about:blank', title: 'Internal error', status: 500 };
  }
}
