import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { STOCK_HOST } from '../../test/fixtures/hosts.js';
import { NODE_INVENTORY, risksOf } from '../../test/fixtures/scenario.js';
import { DecisionService } from '../decision/decision.service.js';
import type { PolicyActivation } from '../policy/activation/policy-activation.js';
import type { SyncOutcome } from '../policy/activation/policy-status.js';
import { loadPolicies } from '../policy/policy-loader.js';
import type { PolicySet } from '../policy/policy-set.js';
import { PolicyPart, type PolicyPartOptions } from './policy-part.js';

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

/** A part whose activation answers as a test wants, with the clock and the chance of the test's. */
function partWith(activation: Partial<PolicyActivation>, given: Partial<PolicyPartOptions> = {}): PolicyPart {
  return new PolicyPart({
    activation: { pinChanged: async () => undefined, ...activation } as PolicyActivation,
    decisions: new DecisionService({
      inventory: NODE_INVENTORY,
      host: STOCK_HOST,
      policy: exempting('2026-10-01', '2026-11-01'),
      risks: risksOf(),
      hostMode: 'enforce',
    }),
    pinFile: join(directory, 'pin'),
    pollSeconds: 0,
    timePassed: () => undefined,
    logger: pino({ level: 'silent' }),
    clock: () => new Date('2026-12-01T00:00:00Z'),
    ...given,
  });
}

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
  const part = partWith({}, { decisions, timePassed, clock: () => now });
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

describe('the next look at the source', () => {
  const outcome: SyncOutcome = { result: 'unchanged', detail: 'nothing new' };
  let planned: number | undefined;

  beforeEach(() => {
    planned = undefined;
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
    vi.spyOn(globalThis, 'setTimeout').mockImplementation((_, ms) => {
      planned = ms;
      return { unref: () => undefined } as unknown as NodeJS.Timeout;
    });
  });
  afterEach(() => void vi.restoreAllMocks());

  /** Milliseconds until then, after one that came to this. */
  async function after(part: PolicyPart, result: SyncOutcome['result'], chance = 0.5) {
    vi.mocked(Math.random).mockReturnValue(chance);
    outcome.result = result;
    await part.sync();
    return planned;
  }

  it('comes later with each that fails, up to half an hour, and as before once one does not', async () => {
    const part = partWith({ sync: async () => outcome }, { pollSeconds: 60 });
    expect(await after(part, 'refused')).toBe(120_000);
    expect(await after(part, 'refused')).toBe(240_000);
    for (let look = 0; look < 5; look += 1) await after(part, 'refused');
    expect(await after(part, 'refused')).toBe(1_800_000);
    expect(await after(part, 'unchanged')).toBe(60_000);
  });

  it('is not at the same moment on all nodes, and soon while libvirt is away', async () => {
    const part = partWith({ sync: async () => outcome }, { pollSeconds: 60 });
    expect(await after(part, 'unchanged', 0)).toBe(48_000);
    expect(await after(part, 'unchanged', 0.999_999)).toBeCloseTo(72_000, -1);
    expect(await after(part, 'waiting')).toBe(2_000);
  });

  it('is nobody’s business but a person’s where no interval is set', async () => {
    const part = partWith({ sync: async () => outcome });
    expect(await after(part, 'refused')).toBeUndefined();
  });
});
