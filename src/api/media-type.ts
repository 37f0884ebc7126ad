import type { Request, Response } from 'express';
import { ProblemError } from './problem-details.js';

/**
 * The media type that the client likes best, and sets it for the answer; the first one where all are equal to it.
 *
 * @throws ProblemError 406 where it takes none of them
 */
export function mediaTypeFor<T extends string>(request: Request, response: Response, types: readonly T[]): T {
  const type = types.find((candidate) => candidate === request.accepts([...types]));
  if (type === undefined) {
    throw new ProblemError(406, `this is given as ${types.join(' or ')} only`, {
      remedy: 'Change the Accept header.',
    });
  }
  response.vary('Accept');
  response.type(type);
  return type;
}
