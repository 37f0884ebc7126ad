import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { PolicyStatusAnswer } from '../api/policy-control.dto.js';
import { POLICY_STATUS_EXAMPLE, SYNC_EXAMPLE, UNDER_WAY_EXAMPLE } from '../api/examples/policies.js';
import { askPatiently, newerOutcome } from './policy-request.js';
import { ServiceClient } from './service-client.js';

let directory: string;
let server: Server;
let asked: string[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'policy-request-'));
  asked = [];
});
afterEach(() => {
  server.close();
  rmSync(directory, { recursive: true });
});

/** A service that gives one answer after the other. */
async function serving(...answers: object[]): Promise<ServiceClient> {
  server = createServer(({ method, url }, response) => {
    asked.push(`${method} ${url}`);
    response.end(JSON.stringify(answers.shift()));
  });
  const socket = join(directory, 'api.sock');
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return ServiceClient.at({ server: `unix:${socket}` });
}

const status = (changed: Partial<PolicyStatusAnswer>): PolicyStatusAnswer => ({
  ...POLICY_STATUS_EXAMPLE,
  ...changed,
});
const SYNC = {
  method: 'post',
  path: '/v1/policies/sync',
  outcomeOf: ({ lastSync }: PolicyStatusAnswer) => lastSync,
} as const;

it('asks once where the answer comes in time', async () => {
  const tell = vi.fn();
  expect(await askPatiently(await serving(SYNC_EXAMPLE), SYNC, tell)).toEqual(SYNC_EXAMPLE);
  expect(asked).toEqual(['POST /v1/policies/sync?wait=20']);
  expect(tell).not.toHaveBeenCalled();
});

it('waits for what goes on, says what it is, and gives what came of it', async () => {
  const tell = vi.fn();
  const lastSync = { ...SYNC_EXAMPLE, at: '2026-11-26T12:11:00.000Z' };
  const since = '2026-11-26T12:10:30.000Z';
  const service = await serving(
    UNDER_WAY_EXAMPLE,
    status({}),
    status({ underWay: [{ step: 'weighing', since }] }),
    status({ underWay: [], lastSync }),
  );
  expect(await askPatiently(service, SYNC, tell)).toEqual(lastSync);
  expect(tell.mock.calls).toEqual([
    ['still fetching since 2026-11-26T12:10:00.000Z (https://git.example.org/fleet/policies main)'],
    [`still weighing since ${since} (https://git.example.org/fleet/policies main)`],
  ]);
});

it('takes of an approval what came last: the request, or the look that follows it', () => {
  const [lastSync, lastRequest] = ['12:11:00', '12:12:00'].map((time) => ({
    ...SYNC_EXAMPLE,
    at: `2026-11-26T${time}.000Z`,
  }));
  expect(newerOutcome(status({ lastSync, lastRequest }))).toEqual(lastRequest);
  expect(newerOutcome(status({ lastSync, lastRequest: undefined }))).toEqual(lastSync);
});
