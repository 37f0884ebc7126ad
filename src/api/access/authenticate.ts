import type { NextFunction, Request, Response } from 'express';
import { problem, sendProblem } from '../problem-details.js';
import { callerOf, introduce } from './caller.js';
import type { TokenRegister } from './tokens-file.js';

/**
 * Lets pass who came through the unix socket, or shows a bearer token (RFC 6750); answers 401 to others. It runs before
 * a body is read.
 */
export function authenticate(tokens: TokenRegister | undefined) {
  return (request: Request, response: Response, next: NextFunction): void => {
    if (callerOf(request)) return next();
    const header = request.headers.authorization;
    const token = header === undefined ? undefined : /^Bearer +([\w.~+/-]+=*)$/i.exec(header)?.[1];
    const caller = token === undefined ? undefined : tokens?.callerOf(token);
    if (caller) {
      introduce(request, caller);
      return next();
    }
    const given = header !== undefined;
    response.setHeader(
      'WWW-Authenticate',
      `Bearer realm="vfio-warden"${given ? ', error="invalid_token"' : ''}`,
    );
    // The connection ends with the answer: a body that nobody may send is not waited for.
    response.setHeader('Connection', 'close');
    sendProblem(
      response,
      given
        ? problem(401, 'the bearer token is unknown or has expired', { remedy: 'Check the tokens file.' })
        : problem(401, 'over TCP a bearer token is needed', {
            remedy: 'Send "Authorization: Bearer TOKEN", or use the unix socket.',
          }),
    );
  };
}
