import { COVERAGE, type Coverage, type CoverageRow } from '../../src/mitigation/coverage.js';
import type { Column, Observation } from './observation.js';

/** What the lab saw of one cell. `mixed` is a mechanism that lets some of the same kind through. */
export type Seen = 'closed' | 'extended-part' | 'open' | 'mixed' | 'no case';

export interface Cell {
  row: CoverageRow;
  column: Column;
  claimed: Coverage;
  seen: Seen;
  attempts: number;
}

export interface Comparison {
  cells: Cell[];
  /** Why the run proves less than the table claims; empty where it proves it all. */
  failures: string[];
  /** What no device of this host can show, and another host's run has to. */
  notes: string[];
}

/** @param coverage the claim; the product's own table but in tests of the lab itself */
export function compare(
  observations: readonly Observation[],
  columns: readonly Column[],
  coverage: typeof COVERAGE = COVERAGE,
): Comparison {
  const cells: Cell[] = [];
  const failures: string[] = [];
  const notes: string[] = [];
  for (const row of Object.keys(coverage) as CoverageRow[]) {
    for (const column of columns) {
      const of = observations.filter((at) => at.subject === row && at.column === column);
      // Without any mechanism everything is open, or the attempt does not show what it is meant to show.
      const claimed = column === 'none' ? 'no' : coverage[row][column];
      const cell: Cell = { row, column, claimed, seen: seenIn(of), attempts: of.length };
      cells.push(cell);
      if (claimed === 'extended-part' && of.length > 0 && of.every(({ part }) => part === 'legacy')) {
        notes.push(`${row} x ${column}: no device here has it from 0x100 on; seen below only`);
      }
      if (!agree(cell, of))
        failures.push(`${row} x ${column}: claimed ${claimed}, seen ${cell.seen}${detail(cell, of)}`);
    }
  }
  for (const column of columns) failures.push(...validity(observations, column));
  return { cells, failures, notes };
}

function seenIn(observations: readonly Observation[]): Seen {
  if (observations.length === 0) return 'no case';
  const all = (part: 'legacy' | 'extended', arrived: boolean) =>
    observations.every((at) => at.part !== part || at.arrived === arrived);
  if (all('legacy', false) && all('extended', false)) return 'closed';
  if (all('legacy', true) && all('extended', true)) return 'open';
  return all('legacy', true) && all('extended', false) ? 'extended-part' : 'mixed';
}

function agree({ claimed, seen }: Cell, observations: readonly Observation[]): boolean {
  switch (claimed) {
    case 'yes':
    case 'rule':
      return seen === 'closed';
    case 'no':
      // A mechanism that stops some ways only closes nothing, and nobody is to rely on what it stops.
      return seen === 'open' || seen === 'mixed';
    case 'extended-part':
      if (observations.every(({ part }) => part === 'legacy')) return seen === 'open';
      if (observations.every(({ part }) => part === 'extended')) return seen === 'closed';
      return seen === 'extended-part';
  }
}

function detail({ claimed, seen }: Cell, observations: readonly Observation[]): string {
  if (seen === 'no case') return '';
  const expected = claimed === 'no';
  const odd = observations.filter(({ arrived }) => arrived !== expected).slice(0, 3);
  return odd
    .map(({ device, what, arrived }) => `; ${device}: ${what} ${arrived ? 'arrived' : 'did not arrive'}`)
    .join('');
}

/** A batch says something only if the trace was alive and the guest really wrote. */
function validity(observations: readonly Observation[], column: Column): string[] {
  const failures: string[] = [];
  const devices = new Set(observations.filter((at) => at.column === column).map(({ device }) => device));
  if (devices.size === 0) return [`${column}: no device was tried at all`];
  for (const device of devices) {
    const of = observations.filter((at) => at.column === column && at.device === device);
    const controls = of.filter(({ subject }) => subject === 'control');
    if (controls.length < 2 || !controls.every(({ arrived }) => arrived)) {
      failures.push(
        `${column}, ${device}: the control write was not seen reaching hardware before and after the batch`,
      );
    }
    for (const { what, subject, arrived } of of) {
      if (subject === 'legitimate' && !arrived)
        failures.push(`${column}, ${device}: ${what} did not arrive, and must`);
    }
    for (const { what, subject, sent, readBack } of of) {
      if (subject !== 'control' && sent && readBack === undefined) {
        failures.push(`${column}, ${device}: ${what} was not carried out by the guest`);
      }
    }
  }
  return failures;
}
