import { COVERAGE } from '../../src/mitigation/coverage.js';
import type { MechanismColumn } from '../../src/mitigation/mechanism.js';
import { compare } from '../evidence/compare.js';
import type { Column, Observation } from '../evidence/observation.js';
import { observeColumn } from '../outside/observe-column.js';
import type { LabCase } from './lab-case.js';

export default [
  {
    name: 'breadth',
    summary:
      'every exposure of every device under every mechanism that this host has, against the table in code',
    byDefault: true,
    async run({ guarded, exposures, mechanisms, say }) {
      const { host, devices } = await guarded();
      const observations: Observation[] = [];
      const seen: string[] = [];
      const columns: Column[] = [];
      const notRun: string[] = [];
      // What nothing restricts comes first: a mechanism of the kernel may stay on for all that comes after it.
      const unrestrictedFirst = mechanisms.toSorted(
        (a, b) => Number(b.column === 'none') - Number(a.column === 'none'),
      );
      for (const mechanism of mechanisms) await mechanism.install?.(host);
      for (const mechanism of unrestrictedFirst) {
        const missing = await mechanism.missing?.(host);
        if (missing !== undefined) {
          seen.push(`${mechanism.column}: not run: ${missing}`);
          continue;
        }
        say(`breadth: ${mechanism.column}`);
        try {
          observations.push(...(await observeColumn(host, mechanism, devices, exposures)));
          columns.push(mechanism.column);
        } catch (error) {
          // The other columns are worth seeing all the same.
          notRun.push(`${mechanism.column}: ${(error as Error).message}`);
        }
      }
      for (const column of Object.keys(COVERAGE.reset) as MechanismColumn[]) {
        if (!mechanisms.some((mechanism) => mechanism.column === column)) {
          seen.push(`${column}: claimed, and not seen: the lab has no such mechanism yet`);
        }
      }
      const { cells, failures, notes } = compare(observations, columns);
      const hardware = observations.filter(({ arrived }) => arrived).length;
      seen.unshift(`${observations.length} accesses of guests, ${hardware} of them seen by hardware`);
      return { cells, failures: [...notRun, ...failures], seen: [...seen, ...notes] };
    },
  },
] satisfies LabCase[];
