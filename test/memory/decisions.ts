import { getHeapSpaceStatistics } from 'node:v8';
import { assignedDomain } from '../bench/assigned-domain.js';
import { forcing } from '../corpus/forced-policy.js';
import { STOCK_QEMU } from '../properties/sample-host.js';
import { decide } from '../../src/decision/decide.js';
import { UNPROBED_HOST } from '../../src/host/host-capabilities.js';
import { Inventory } from '../../src/pci/inventory.js';
import { RiskDatabase } from '../../src/risk/risk-database.js';

/**
 * Prints how many bytes a decision leaves in the old generation that nothing refers to any more.
 *   node --expose-gc FLAG... --import tsx decisions.ts
 */

const WARM_UP = 1_000;
const DECISIONS = 400;

const xml = assignedDomain(1);
const basis = {
  xml,
  inventory: Inventory.of([]),
  host: { ...UNPROBED_HOST, ...STOCK_QEMU },
  risks: RiskDatabase.of([]),
  policy: forcing('conventional-bus'),
  domainState: 'new',
  guestHardware: 'may-change',
  ranRestricted: [],
  hostMode: 'enforce',
  hostdevNetworks: [],
} as const;

function decideOften(count: number): void {
  for (let at = 0; at < count; at += 1) {
    const { decision } = decide({ ...basis, evaluatedAt: new Date(1_767_225_600_000 + at).toISOString() });
    if (decision.edits.length === 0) throw new Error('the full path did not run');
  }
}

function oldBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name: name }) => name === 'old_space')!.space_used_size;
}

decideOften(WARM_UP);
globalThis.gc!();
const before = oldBytes();
decideOften(DECISIONS);
console.log(Math.round((oldBytes() - before) / DECISIONS));
