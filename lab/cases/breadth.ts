import { COVERAGE } from '../../src/mitigation/coverage.js';
import type { MechanismColumn } from '../../src/mitigation/mechanism.js';
import { compare } from '../evidence/compare.js';
import type { Column, Observation } from '../evidence/observation.js';
import type { LabMechanism } from '../mechanisms/lab-mechanism.js';
import { hostFor } from '../outside/host-for.js';
import type { LabHost } from '../outside/lab-host.js';
import { observeColumn } from '../outside/observe-column.js';
import type { LabCase, LabContext } from './lab-case.js';

export default [
  {
    name: 'breadth',
    summary:
      'every exposure of every device under every mechanism that this host has, against the table in code',
    byDefault: true,
    async run(context) {
      const { guarded, mechanisms, demanded, say } = context;
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
        try {
          const looked = await look(context, mechanism, 2);
          if (typeof looked === 'string') {
            (demanded.has(column) ? notRun : seen).push(`${column}: not run: ${looked}`);
            continue;
          }
          observations.push(...looked.observations);
          columns.push(column);
          if (mechanism.afterwards) seen.push(`${column}: ${await mechanism.afterwards(looked.host)}`);
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

/**
 * What a column's guest gets through, or why the column cannot be seen here. The outer QEMU of Debian 12 crashes now and then
 * (`OuterMachine`): then it is looked at on another host.
 */
async function look(
  context: LabContext,
  mechanism: LabMechanism,
  tries: number,
): Promise<string | { host: LabHost; observations: Observation[] }> {
  const ready = await hostFor(mechanism, context.guarded);
  if (typeof ready === 'string') return ready;
  const { host, devices } = ready;
  try {
    return { host, observations: await observeColumn(host, mechanism, devices, context.exposures) };
  } catch (error) {
    if (host.machine.running || tries === 1) throw error;
    context.say(`breadth: ${mechanism.column} once more: ${(error as Error).message}`);
    return look(context, mechanism, tries - 1);
  }
}
