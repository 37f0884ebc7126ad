import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { STOCK_HOST } from '../../test/fixtures/hosts.js';
import { NODE_INVENTORY, risksOf } from '../../test/fixtures/scenario.js';
import { DecisionService } from '../decision/decision.service.js';
import type { PolicyActivation } from '../policy/activation/policy-activation.js';
import { loadPolicies } from '../policy/policy-loader.js';
import type { PolicySet } from '../policy/policy-set.js';
import { PolicyPart } from './policy-part.js';

const POLICY = `apiVersion: vfio-warden.dev/v1
kind: Policy
metadata: { name: test }
spec:
  rules: [{ name: nothing, mode: off }]
`;

function exempting(from: string, expires: string): PolicySet {
  const text = `apiVersion: vfio-warden.dev/v1
kind: Exemption
metadata: { name: burn-in }
spec:
  match: { devices: [{ bdf: '0000:81:00.0' }] }
  reason: vendor tool needs the registers
  owner: storage team
  ticket: OPS-4711
  from: ${from}
  expires: ${expires}
`;
  return loadPolicies([
    { file: 'policy.yaml', text: POLICY },
    { file: 'exemption.yaml', text },
  ]);
}

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'policy-part-'));
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(directory, { recursive: true, force: true });
});

it('has domains decided again when an exemption ends, however soon after it came into force', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  let now = new Date('2026-12-01T00:00:00Z');
  const timePassed = vi.fn();
  const decisions = new DecisionService({
    inventory: NODE_INVENTORY,
    host: STOCK_HOST,
    policy: exempting('2026-10-01', '2026-11-01'),
    risks: risksOf(),
    hostMode: 'enforce',
  });
  const part = new PolicyPart({
    activation: { pinChanged: async () => undefined } as unknown as PolicyActivation,
    decisions,
    pinFile: join(directory, 'pin'),
    pollSeconds: 0,
    timePassed,
    logger: pino({ level: 'silent' }),
    clock: () => now,
  });
  await part.start();
  try {
    vi.advanceTimersByTime(60_000);
    expect(timePassed).not.toHaveBeenCalled();
    // Between two looks at the clock: before and after, no exemption holds.
    decisions.replace({ policy: exempting('2026-12-01', '2026-12-26') });
    now = new Date('2026-12-27T00:00:00Z');
    vi.advanceTimersByTime(60_000);
    expect(timePassed).toHaveBeenCalledOnce();
  } finally {
    await part.stop();
  }
});
