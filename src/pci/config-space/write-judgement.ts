import { CAP, HEADER_SIZE, LEGACY_SIZE, MAP, type VfioTables } from './capability-tables.js';
import type { Walk } from './capability-walk.js';
import { writeRules, type Permissions, type WriteReach, type WriteRule } from './write-permissions.js';

interface Judgement {
  /** How a guest's write to each byte fares. */
  writeReach: WriteReach[];
  /** For each byte the bits of a guest's write that reach hardware as written. */
  writableBits: Uint8Array;
}

/** Judges each byte by the permissions that `vfio_pci_config_rw` would pick, from the map alone, as it does. */
export function judgeWrites(walk: Walk, configSpace: Uint8Array, tables: VfioTables): Judgement {
  const { map, anomalies } = walk;
  const rules = writeRules({ tables, msiFlags: walk.msiFlags });
  const writeReach: WriteReach[] = [];
  const writableBits = new Uint8Array(map.length);
  let start = 0;
  let rule: WriteRule = rules.header;
  for (const [at, id] of map.entries()) {
    // vfio_find_cap_start: back to the first byte with the same id, but not over 0x100 or 0x40. So each byte of a
    // capability that lies in the header is judged as a capability's first.
    if (at <= HEADER_SIZE || id !== map[at - 1] || at === LEGACY_SIZE) {
      start = id === MAP.HEADER ? 0 : at;
      rule = ruleFor(id, at, rules);
    }
    if (rule === 'raw') {
      writeReach.push('raw');
      writableBits[at] = 0xff;
    } else if (rule === 'none') {
      writeReach.push(id === MAP.VIRTUAL ? 'virtualised' : 'dropped');
    } else if (at - start < rule.size) {
      writeReach.push(reachByTable(rule, at, at - start, id, configSpace));
      writableBits[at] = rule.write[at - start]! & ~rule.virtual[at - start]!;
    } else {
      // Two abutting capabilities of one id are one to the kernel, which then reads past its table: assume the worst.
      if (at - start === rule.size) {
        const problem = 'the kernel judges writes from here on by memory behind its table';
        anomalies.push({ offset: at, problem });
      }
      writeReach.push('raw');
      writableBits[at] = 0xff;
    }
  }
  return { writeReach, writableBits };
}

function ruleFor(id: number, at: number, rules: ReturnType<typeof writeRules>): WriteRule {
  if (id === MAP.UNASSIGNED) return 'raw';
  if (at >= LEGACY_SIZE) return rules.extended(id);
  return id === MAP.HEADER ? rules.header : rules.standard(id);
}

function reachByTable(
  rule: Permissions,
  at: number,
  offset: number,
  id: number,
  configSpace: Uint8Array,
): WriteReach {
  const write = rule.write[offset]!;
  const bits = write & ~rule.virtual[offset]!;
  if (bits !== 0) return bits === 0xff ? 'raw' : 'partly';
  if (write === 0) return 'dropped';
  if (at >= LEGACY_SIZE || !rule.mediated.has(offset)) return 'virtualised';
  // vfio_af_config_write clears the FLR bit again where the device does not offer it.
  if (id === CAP.AF && !offersAdvancedFeaturesReset(configSpace, at - offset)) return 'dropped';
  return 'mediated';
}

/** Whether the Advanced Features capability offers FLR and TP, without which vfio ignores its FLR bit. */
export function offersAdvancedFeaturesReset(configSpace: Uint8Array, start: number): boolean {
  return ((configSpace[start + 3] ?? 0) & 0x03) === 0x03;
}
