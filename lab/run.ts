import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import type { LabCase } from './cases/lab-case.js';
import { writeEvidence, type Evidence } from './evidence/evidence.js';
import type { Column } from './evidence/observation.js';
import { evidenceTable } from './evidence/table.js';
import { loadCases, loadDevices, loadExposures, loadMechanisms } from './load-folder.js';
import type { LabMechanism } from './mechanisms/lab-mechanism.js';
import { LabHosts } from './outside/lab-hosts.js';
import { HOSTS, prepareHost } from './prepare/hosts.js';

const project = dirname(dirname(fileURLToPath(import.meta.url)));

interface Options {
  host: string;
  columns?: string;
  list?: boolean;
  evidence?: string;
}

const program = new Command('npm run lab --')
  .description(
    'Proves the coverage table against real VFIO: a Debian host in QEMU, its guests, and what hardware sees.',
  )
  .argument(
    '[case...]',
    'cases to run, `all`, or the beginning of their names; those marked * where none is named',
  )
  .option('--host <name>', `the host's Debian: ${HOSTS.join(', ')}`, 'debian12')
  .option(
    '--columns <names>',
    'look at these columns only, with commas between them, and fail where one cannot be seen on this machine',
  )
  .option('--evidence <file>', "put what was seen into a Markdown file, in the place of this host's section")
  .option('--list', 'list the cases')
  .action(main);

async function main(names: string[], options: Options): Promise<void> {
  const cases = await loadCases();
  if (options.list) {
    for (const { name, byDefault, summary } of cases)
      console.log(`${byDefault ? '*' : ' '} ${name.padEnd(16)} ${summary}`);
    return;
  }
  const chosen = choose(cases, names);
  const started = Date.now();
  const say = (text: string) =>
    console.error(`${((Date.now() - started) / 1000).toFixed(0).padStart(4)} s  ${text}`);

  say(`preparing ${options.host}`);
  const [prepared, devices, exposures, all] = await Promise.all([
    prepareHost(options.host, say),
    loadDevices(),
    loadExposures(),
    loadMechanisms(),
  ]);
  const demanded = new Set(options.columns?.split(',') as Column[] | undefined);
  const mechanisms = chooseMechanisms(all, demanded);
  const hosts = new LabHosts({ ...prepared, project, devices, mechanisms }, say);
  const evidence: Evidence = { host: options.host, columns: options.columns, versions: {}, cases: [] };
  // What was seen until then is told; a second one ends the run at once.
  let interrupted = false;
  process.once('SIGINT', () => {
    interrupted = true;
    process.exitCode = 1;
    say('ends after this case');
  });
  try {
    for (const labCase of chosen) {
      if (interrupted) break;
      say(labCase.name);
      const { guarded, bare, bySystemd } = hosts;
      const result = await labCase
        .run({ guarded, bare, bySystemd, exposures, mechanisms, demanded, say })
        .catch((error: Error) => ({ seen: [], failures: [error.stack ?? error.message] }));
      for (const failure of result.failures) say(`${labCase.name}: ${failure}`);
      evidence.cases.push({ name: labCase.name, summary: labCase.summary, ...result });
    }
    evidence.versions = hosts.versions;
  } finally {
    await hosts.off();
  }
  say('done');
  report(evidence);
  if (options.evidence !== undefined) await writeEvidence(options.evidence, evidence);
}

/** In the order of what was named, each case once. */
function choose(cases: readonly LabCase[], names: readonly string[]): LabCase[] {
  if (names.length === 0) return cases.filter(({ byDefault }) => byDefault);
  const chosen = new Set(
    names.flatMap((wanted) => cases.filter(({ name }) => wanted === 'all' || name.startsWith(wanted))),
  );
  const unknown = names.filter(
    (wanted) => wanted !== 'all' && !cases.some(({ name }) => name.startsWith(wanted)),
  );
  if (unknown.length > 0) program.error(`no case ${unknown.join(', ')}; --list names them`);
  return [...chosen];
}

/** The columns that are demanded, and a domain that nothing restricts, without which no other shows anything. */
function chooseMechanisms(all: readonly LabMechanism[], demanded: ReadonlySet<Column>): LabMechanism[] {
  const unknown = [...demanded].filter((column) => !all.some((mechanism) => mechanism.column === column));
  if (unknown.length > 0) {
    program.error(`no column ${unknown.join(', ')}; there are ${all.map(({ column }) => column).join(', ')}`);
  }
  return all.filter(({ column }) => demanded.size === 0 || column === 'none' || demanded.has(column));
}

/** Prints what was seen; a difference to the claim makes the exit code 1. */
function report({ versions, cases }: Evidence): void {
  console.log(Object.values(versions).join(', '));
  for (const { name, cells, seen, failures } of cases) {
    console.log(`\n== ${name}: ${failures.length === 0 ? 'as claimed' : 'DIFFERS FROM THE CLAIM'}`);
    if (cells) console.log(`${evidenceTable(cells)}\nclaimed / seen at hardware (accesses)`);
    for (const line of seen) console.log(`   ${line}`);
    for (const failure of failures) console.log(` ! ${failure}`);
  }
  const failed = cases.filter(({ failures }) => failures.length > 0).length;
  console.log(`\nlab: ${cases.length - failed} passed, ${failed} failed`);
  if (failed > 0) process.exitCode = 1;
}

await program.parseAsync();
