import { EXPOSURE_NAMES } from '../../src/risk/exposure.js';
import { RiskDatabase } from '../../src/risk/risk-database.js';
import type { ConfigMirror, RegisterNeed, RiskEntry } from '../../src/risk/risk-entry.js';

/** What the generators' host functions are known for: by device, by class, needs, windows of both kinds. */
const KNOWN: readonly Partial<RiskEntry>[] = [
  {
    match: [{ vendor: '144d', device: ['a80a'] }],
    exposures: ['unassigned-extended', 'unassigned-legacy'],
  },
  {
    match: [{ vendor: '8086', device: ['1592'] }],
    exposures: ['unassigned-extended', 'vpd-write', 'reset'],
  },
  { match: [{ vendor: '8086', device: ['1889'], function: 'vf' }], exposures: ['hidden-capability'] },
  { match: [{ class: '03' }], exposures: ['unassigned-extended', 'power-management'] },
  { match: [{ class: '0108' }], exposures: ['aer-registers', 'unassigned-extended'] },
  {
    match: [{ vendor: '10de', class: '03' }],
    exposures: ['config-mirror-in-bar'],
    mirrors: [mirror('0x88000', 'always')],
  },
  {
    match: [{ vendor: '10de', device: ['2684'] }],
    exposures: ['config-mirror-in-bar'],
    mirrors: [mirror('0x92000', 'never')],
  },
  {
    match: [{ vendor: '10de', device: ['22ba'] }],
    exposures: ['unassigned-legacy'],
    effect: 'compatibility',
    needs: [need('0x44-0x47')],
  },
  {
    match: [{ vendor: '1102', device: ['0004'] }],
    exposures: ['unassigned-legacy'],
    effect: 'compatibility',
    needs: [need('unknown')],
  },
];

/**
 * A database of so many entries: a few about the generators' functions, the others about as many other devices of a
 * thousand entries a vendor, one in ten for a subsystem, one in a hundred by class. The same count gives the same content.
 *
 * @param count 9 to 57,344,000
 */
export function generatedRisks(count: number): RiskDatabase {
  const others = Array.from({ length: count - KNOWN.length }, (_, at): Partial<RiskEntry> => {
    const vendor = id4(0x2000 + Math.floor(at / 1_000));
    const exposures = [EXPOSURE_NAMES[at % 8]!];
    if (at % 100 === 0) return { match: [{ vendor, class: '0200' }], exposures };
    const subsystem = at % 10 === 0 ? { subsystemVendor: '1028', subsystemDevice: id4(at % 0xffff) } : {};
    return { match: [{ vendor, device: [id4(at % 1_000)], ...subsystem }], exposures };
  });
  return RiskDatabase.of([...KNOWN, ...others].map(completed));
}

function completed(entry: Partial<RiskEntry>, at: number): RiskEntry {
  return {
    id: `generated-${at}`,
    match: [],
    exposures: [],
    effect: 'host-crash',
    severity: 'high',
    confidence: 'likely',
    summary: `Generated entry ${at}.`,
    evidence: [{ source: 'generator', reference: `entry ${at}`, date: '2026-01-01' }],
    ...entry,
  };
}

function mirror(offset: string, trappedByQemu: ConfigMirror['trappedByQemu']): ConfigMirror {
  return { bar: '0', offset, size: '0x1000', addressing: 'direct', trappedByQemu };
}

function need(registers: string): RegisterNeed {
  return { registers: [registers], access: ['read', 'write'], by: ['guest'] };
}

function id4(value: number): string {
  return value.toString(16).padStart(4, '0');
}
