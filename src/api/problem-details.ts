import { STATUS_CODES, type ServerResponse } from 'node:http';

/** RFC 9457. `place` and `remedy` are ours: where the input is wrong, and what to do about it. */
export interface ProblemDetails {
  type: string;
  title: string;
  status: number;
  detail?: string;
  place?: string;
  remedy?: string;
  /** Of `/readyz`: the state of each component. */
  components?: object;
}

export const PROBLEM_TYPE = 'application/problem+json';

type Extras = Pick<ProblemDetails, 'place' | 'remedy' | 'components'>;

/** A problem that has no type of its own: the status says what it is (RFC 9457, 4.2.1). */
export function problem(status: number, detail?: string, extras: Extras = {}): ProblemDetails {
  return {
    type: 'about:blank',
    title: STATUS_CODES[status] ?? 'Error',
    status,
    ...(detail !== undefined && { detail }),
    ...extras,
  };
}

export function sendProblem(response: ServerResponse, details: ProblemDetails): void {
  response.writeHead(details.status, { 'Content-Type': PROBLEM_TYPE, 'Cache-Control': 'no-store' });
  response.end(JSON.stringify(details));
}

/** Ends a request with a problem. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly details: ProblemDetails;

  constructor(status: number, detail: string, extras: Extras = {}) {
    super(detail);
    this.details = problem(status, detail, extras);
  }
}
