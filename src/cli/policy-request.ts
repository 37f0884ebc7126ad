import { setTimeout as sleep } from 'node:timers/promises';
import type { PolicyStatusAnswer, SyncAnswer, UnderWayAnswer } from '../api/policy-control.dto.js';
import { withoutControls } from '../documents/located-yaml.js';
import { LocatedError } from '../located-error.js';
import type { ServiceClient } from './service-client.js';

/** Seconds after which the service says that it goes on; less than a client waits for an answer. */
const WAIT_S = 20;
const POLL_MS = 1_000;
/** Milliseconds. A fetch has one minute; to read a hundred thousand entries on a busy host takes some. */
const PATIENCE_MS = 20 * 60_000;

/** What the service is asked to do about its policies; where in its status stands what came of it. */
export interface PolicyRequest {
  method: 'post' | 'put' | 'delete';
  path: string;
  body?: { revision: string };
  outcomeOf: (status: PolicyStatusAnswer) => SyncAnswer | undefined;
}

/**
 * Asks, and where it takes long, waits for what comes of it and tells of each step.
 *
 * @throws ServiceAway, LocatedError
 */
export async function askPatiently(
  service: ServiceClient,
  { method, path, body, outcomeOf }: PolicyRequest,
  tell: (line: string) => void,
): Promise<SyncAnswer> {
  const asked = `${path}?wait=${WAIT_S}`;
  const answer: SyncAnswer | UnderWayAnswer =
    method === 'delete' ? await service.delete(asked) : await service[method](asked, body ?? {});
  if (answer.result !== 'under-way') return answer;
  const deadline = performance.now() + PATIENCE_MS;
  let told = '';
  while (performance.now() < deadline) {
    const status = await service.get<PolicyStatusAnswer>('/v1/policies/status');
    const outcome = outcomeOf(status);
    if (status.underWay.length === 0 && outcome) return outcome;
    const steps = status.underWay.map(({ step, since }) => `${step} since ${since}`).join(', ');
    if (steps !== told) tell(withoutControls(`still ${steps} (${status.source})`));
    told = steps;
    await sleep(POLL_MS);
  }
  throw new LocatedError(
    'it is not done yet, and goes on',
    path,
    'Look at wardenctl policy status; wardenctl policy pin goes back to a revision at once.',
  );
}

/** Of an approval: of a held revision it is a request, of a history a look at the source. */
export function newerOutcome({ lastSync, lastRequest }: PolicyStatusAnswer): SyncAnswer | undefined {
  return (lastRequest?.at ?? '') > (lastSync?.at ?? '') ? lastRequest : lastSync;
}
