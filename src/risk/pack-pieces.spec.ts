import { hash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { PackAssembler, piecesOf } from './pack-pieces.js';
import { RiskDatabase } from './risk-database.js';
import type { RiskEntry } from './risk-entry.js';
import { packRisks } from './risk-pack.js';

/** So long, and so little alike, that a few hundred of them need several pieces though they are compressed. */
function summaryOf(number: number): string {
  return Array.from({ length: 40 }, (_, part) => hash('sha256', `${number} ${part}`)).join(' ');
}

function entryAbout(number: number): RiskEntry {
  return {
    id: `entry-${number}`,
    match: [{ vendor: '10de', device: [number.toString(16).padStart(4, '0')] }],
    exposures: ['unassigned-extended'],
    effect: 'host-crash',
    severity: 'high',
    confidence: 'likely',
    summary: summaryOf(number),
    evidence: [{ source: 'example', reference: `entry ${number}`, date: '2026-01-01' }],
  } as RiskEntry;
}

describe('a pack of risk entries in pieces', () => {
  it.each([0, 1, 500])('is the same database with %i entries when it is put together again', (count) => {
    const pack = packRisks(Array.from({ length: count }, (_, number) => entryAbout(number)));
    const assembler = new PackAssembler();
    let pieces = 0;
    for (const piece of piecesOf(pack)) {
      // As it arrives: nothing of what the sender still holds.
      assembler.add(structuredClone(piece));
      pieces += 1;
    }
    if (count > 1) expect(pieces).toBeGreaterThan(7);

    const [there, here] = [new RiskDatabase(assembler.finish()), new RiskDatabase(pack)];
    expect(there.revision).toBe(here.revision);
    expect(there.entries).toEqual(here.entries);
    const last = { vendor: '10de', device: (count - 1).toString(16).padStart(4, '0'), class: '010802' };
    expect(there.lookup(last as never).length).toBe(Math.min(count, 1));
    expect(there.lookup(last as never)).toEqual(here.lookup(last as never));
  });
});
