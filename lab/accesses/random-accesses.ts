import {
  LIMITS,
  STANDARD_RULES,
  type AccessRegion,
  type AccessRule,
  type AccessRules,
  type Direction,
} from '../../src/mitigation/access-rules/access-rules.js';
import { judgeAccess, type DeviceAccess } from '../../src/mitigation/access-rules/judge-access.js';
import type { ConfigSpaceLayout } from '../../src/pci/config-space/layout.js';
import type { Mode } from '../../src/policy/policy-terms.js';
import type { Random } from '../../test/layout-oracle/random.js';

/** Accesses of one process, made while the guard has the same rules and modes. */
export interface Block {
  hostMode: Mode;
  deviceMode: Mode;
  /** Absent: the function has none, so that the host's standard holds. */
  rules: AccessRules | undefined;
  accesses: DeviceAccess[];
}

/** What `replay` printed of one access. */
export interface Outcome {
  seen: string;
  result: number;
  error: number;
  data: string;
}

const CONFIG = 0x1000;
/** What QEMU's NVMe drive has in BAR0. */
const BAR = 0x4000;
const EFAULT = 14;
const MODE_ORDER: Mode[] = ['off', 'observe', 'enforce'];

/** Rules and accesses of every kind: each offset, sizes of 1 to 8 and large ones, every alignment, each direction. */
export function randomBlock(random: Random, accesses: number, modes: { host: Mode; device: Mode }): Block {
  return {
    hostMode: modes.host,
    deviceMode: modes.device,
    rules: random.chance(0.15) ? undefined : randomRules(random),
    accesses: Array.from({ length: accesses }, () => randomAccess(random)),
  };
}

function randomRules(random: Random): AccessRules {
  let conditional = 0;
  const rules = Array.from({ length: random.below(20) }, (): AccessRule => {
    const from = random.below(CONFIG);
    const length = random.chance(0.6) ? random.between(1, 8) : random.between(1, 0x400);
    const rule: AccessRule = {
      region: 'cfg',
      from,
      to: Math.min(from + length, CONFIG) - 1,
      directions: random.pick<Direction[]>([['read'], ['write'], ['write'], ['read', 'write']]),
      effect: random.pick(['allow', 'block', 'block']),
    };
    const bytes = rule.to - rule.from + 1;
    const fits = bytes <= 4 && conditional + bytes <= LIMITS.conditionalBytes;
    if (!fits || rule.directions.includes('read') || random.chance(0.3)) return rule;
    conditional += bytes;
    const mask = random.between(1, 0xff) & random.between(1, 0xff) || 1;
    return { ...rule, when: { mask, value: mask & random.word() & 0xff } };
  });
  const bars = Array.from({ length: random.below(6) }, (): AccessRule => {
    const from = 0x1000 + random.below(BAR - 0x1000);
    return {
      region: 'bar0',
      from,
      to: Math.min(from + random.below(0x200), BAR - 1),
      directions: random.pick<Direction[]>([['read'], ['write'], ['read', 'write']]),
      effect: random.pick(['allow', 'block', 'block']),
    };
  });
  return {
    unassigned: {
      read: random.pick(['allow', 'allow', 'block']),
      write: random.pick(['block', 'block', 'allow']),
    },
    rules: random.shuffle([...rules, ...bars]),
    ioctls: [],
  };
}

function randomAccess(random: Random): DeviceAccess {
  const direction: Direction = random.chance(0.6) ? 'write' : 'read';
  const region: AccessRegion = random.chance(0.92) ? 'cfg' : 'bar0';
  const size = random.chance(0.94) ? random.between(1, 8) : random.between(9, 200);
  // The first registers of a drive's BAR start and stop it.
  const offset = region === 'cfg' ? random.below(CONFIG + 8) : 0x1000 + random.below(BAR - 0x1000 - size);
  if (direction === 'read') return { direction, region, offset, size };
  const data = Uint8Array.from({ length: size }, () => random.below(256));
  return { direction, region, offset, size, data };
}

/** A line for `replay`. */
export function replayLine({ direction, region, offset, size, data }: DeviceAccess): string {
  const place = `${region} ${offset.toString(16)}`;
  return direction === 'read'
    ? `r ${place} ${size.toString(16)}`
    : `w ${place} ${Buffer.from(data!).toString('hex')}`;
}

export function readOutcome(line: string): Outcome {
  const [seen = '', result, error, data = ''] = line.split(' ');
  return { seen, result: Number(result), error: Number(error), data };
}

/** What is wrong with an outcome by the model; undefined where nothing is. */
export function difference(
  block: Block,
  layout: ConfigSpaceLayout,
  access: DeviceAccess,
  outcome: Outcome,
): string | undefined {
  const mode =
    MODE_ORDER[Math.min(MODE_ORDER.indexOf(block.hostMode), MODE_ORDER.indexOf(block.deviceMode))]!;
  const verdict = judgeAccess(block.rules ?? STANDARD_RULES, layout, access);
  const expected =
    mode === 'off' ? 'none' : verdict === 'allow' ? 'pass' : mode === 'enforce' ? 'blocked' : 'observed';
  if (outcome.seen !== expected) return `expected ${expected}`;
  if (expected === 'blocked') {
    if (outcome.result !== access.size) return `a blocked access reports ${outcome.result} bytes`;
    if (access.direction === 'read' && /[^0]/.test(outcome.data)) return 'a blocked read gave something';
    return undefined;
  }
  if (access.region !== 'cfg') return undefined;
  if (access.offset + access.size > CONFIG) {
    return outcome.error === EFAULT ? undefined : 'vfio did not refuse what lies beyond config space';
  }
  return outcome.result === access.size ? undefined : `an access that passes gave ${outcome.result}`;
}
