import { COVERAGE } from '../../src/mitigation/coverage.js';
import type { MechanismColumn } from '../../src/mitigation/mechanism.js';
import { compare } from '../evidence/compare.js';
import type { Column, Observation } from '../evidence/observation.js';
import { hostFor } from '../outside/host-for.js';
import { observeColumn } from '../outside/observe-column.js';
import type { LabCase } from './lab-case.js';

export default [
  {
    name: 'breadth',
    summary:
      'every exposure of every device under every mechanism that this host has, against the table in code',
    byDefault: true,
    async run({ guarded, exposures, mechanisms, demanded, say }) {
      const observations: Observation[] = [];
      const seen: string[] = [];
      const columns: Column[] = [];
      const notRun: string[] = [];
      // What nothing restricts comes first: a mechanism of the kernel may stay on for all that comes after it.
      const unrestrictedFirst = mechanisms.toSorted(
        (a, b) => Number(b.column === 'none') - Number(a.column === 'none'),
      );
      const shared = await guarded();
      for (const mechanism of mechanisms) await mechanism.install?.(shared.host);
      for (const mechanism of unrestrictedFirst) {
        const { column } = mechanism;
        say(`breadth: ${column}`);
        const ready = await hostFor(mechanism, guarded);
        if (typeof ready === 'string') {
          (demanded.has(column) ? notRun : seen).push(`${column}: not run: ${ready}`);
          continue;
        }
        const { host, devices } = ready;
        try {
          observations.push(...(await observeColumn(host, mechanism, devices, exposures)));
          columns.push(column);
          if (mechanism.afterwards) seen.push(`${column}: ${await mechanism.afterwards(host)}`);
        } catch (error) {
          // The other columns are worth seeing all the same.
          notRun.push(`${column}: ${(error as Error).message}`);
        }
      }
      for (const column of Object.keys(COVERAGE.reset) as MechanismColumn[]) {
        if (mechanisms.some((mechanism) => mechanism.column === column)) continue;
        (demanded.has(column) ? notRun : seen).push(`${column}: claimed, and not looked at in this run`);
      }
      const { cells, failures, notes } = compare(observations, columns);
      const hardware = observations.filter(({ arrived }) => arrived).length;
      seen.unshift(`${observations.length} accesses of guests, ${hardware} of them seen by hardware`);
      return { cells, failures: [...notRun, ...failures], seen: [...seen, ...notes] };
    },
  },
] satisfies LabCase[];
