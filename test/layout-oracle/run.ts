import { parseArgs } from 'node:util';
import { LocatedError } from '../../src/located-error.js';
import { compare, type Difference } from './comparison.js';
import { tablesFor } from './kernel-tables.js';
import { compileWalk, KernelWalk, type Device, type KernelAnswer } from './kernel-walk.js';
import { kernelSources, type KernelSource } from './kernel-source.js';
import { MALFORMED } from './malformed-spaces.js';
import { Random } from './random.js';
import { wellFormedSpace } from './well-formed-spaces.js';

const BATCH = 250;
/** Of so many batches one has its writes tried out on each byte, which takes the kernel's code some 8,192 calls a space. */
const MEASURE_EVERY = 10;
const EXAMPLES = 2;
/** Malformed spaces of each kind, as a share of the well-formed ones. */
const MALFORMED_SHARE = 1 / 60;

interface Tally {
  spaces: number;
  compared: number;
  written: number;
  differing: number;
  differingSpaces: number;
  filterDiffering: number;
  filterStricter: number;
  refused: number;
  refusalDiffers: number;
  conflicts: number;
  overruns: number;
  unknown: number;
  examples: Difference[];
}

const newTally = (): Tally => ({
  spaces: 0,
  compared: 0,
  written: 0,
  differing: 0,
  differingSpaces: 0,
  filterDiffering: 0,
  filterStricter: 0,
  refused: 0,
  refusalDiffers: 0,
  conflicts: 0,
  overruns: 0,
  unknown: 0,
  examples: [],
});

/** Compares batch after batch until `spaces` have been counted; `counts` says which of them are to count. */
async function tallySpaces(
  walk: KernelWalk,
  series: string,
  make: () => Device,
  spaces: number,
  counts: (answer: KernelAnswer) => boolean,
): Promise<Tally> {
  const tables = tablesFor(series);
  const tally = newTally();
  for (let batch = 0; tally.spaces < spaces; batch++) {
    if (batch * BATCH > 4 * spaces + 4 * BATCH)
      throw new Error('the generator makes too few spaces that count');
    const devices = Array.from({ length: BATCH }, make);
    const answers = await walk.ask(devices, batch % MEASURE_EVERY === 0);
    answers.forEach((answer, index) => {
      if (tally.spaces < spaces && counts(answer)) add(tally, devices[index]!, answer, tables);
    });
  }
  return tally;
}

function add(tally: Tally, device: Device, answer: KernelAnswer, tables: ReturnType<typeof tablesFor>): void {
  const { compared, written, differing, details, refusalDiffers, unknown } = compare(device, answer, tables);
  tally.spaces += 1;
  tally.compared += compared;
  tally.written += written;
  tally.differing += differing;
  tally.differingSpaces += differing > 0 ? 1 : 0;
  tally.filterDiffering += answer.filterDiffering;
  tally.filterStricter += answer.filterStricter;
  tally.refused += answer.refused ? 1 : 0;
  tally.refusalDiffers += refusalDiffers ? 1 : 0;
  tally.conflicts += answer.conflicts > 0 ? 1 : 0;
  tally.overruns += answer.overrun > 0 ? 1 : 0;
  tally.unknown += unknown;
  tally.examples.push(...details.slice(0, EXAMPLES - tally.examples.length));
}

/** Nothing overlaps, nothing runs past the end, and the device can be opened: by the kernel's own word. */
const wellFormed = ({ refused, conflicts, overrun }: KernelAnswer) =>
  !refused && conflicts === 0 && overrun === 0;

async function checkKernel(source: KernelSource, seed: number, spaces: number): Promise<boolean> {
  const walk = new KernelWalk(compileWalk(source));
  const random = new Random(seed);
  const tally = await tallySpaces(walk, source.series, () => wellFormedSpace(random), spaces, wellFormed);
  console.log(
    `layout-oracle ${source.version}: ${tally.spaces} well-formed spaces, ${tally.compared} bytes compared, ` +
      `${tally.differing} bytes differ`,
  );
  console.log(
    `  of them ${tally.written} bytes also by experiment: a guest's write through the kernel's own code`,
  );
  console.log(
    `  the filter's C code: ${tally.filterDiffering} bytes assigned that are raw; ${tally.filterStricter} bytes ` +
      'unassigned that are not: placeholders at 0x100 that vfio presents as zeros, and what follows a broken header',
  );
  printExamples(tally);
  if (tally.refusalDiffers > 0) console.log(`  ${tally.refusalDiffers} spaces that only one side refuses`);

  const each = Math.ceil(spaces * MALFORMED_SHARE);
  console.log(`  malformed, ${each} of each kind (README.md argues what differs):`);
  console.log(
    row('', 'bytes compared', 'differ', 'in spaces', 'refused', 'by one only', 'conflicts', 'overruns'),
  );
  for (const [kind, make] of Object.entries(MALFORMED)) {
    const found = await tallySpaces(
      walk,
      source.series,
      () => make(random),
      each,
      () => true,
    );
    const { compared, differing, differingSpaces, refused, refusalDiffers, conflicts, overruns } = found;
    console.log(
      row(kind, compared, differing, differingSpaces, refused, refusalDiffers, conflicts, overruns),
    );
    if (found.unknown > 0) console.log(`      and ${found.unknown} bytes of which our layout says nothing`);
    printExamples(found);
  }
  await walk.end();
  return tally.differing === 0 && tally.filterDiffering === 0 && tally.refusalDiffers === 0;
}

function row(kind: string, ...columns: (string | number)[]): string {
  return `    ${kind.padEnd(34)}${columns.map((column) => String(column).padStart(15)).join('')}`;
}

function printExamples({ examples }: Tally): void {
  for (const { offset, what, kernel, ours } of examples) {
    console.log(`      e.g. at 0x${offset.toString(16)} ${what}: kernel ${kernel}, ours ${ours}`);
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { spaces: { type: 'string', default: '60000' }, seed: { type: 'string', default: '20250426' } },
  });
  const [spaces, seed] = [Number(values.spaces), Number(values.seed)];
  if (!Number.isSafeInteger(spaces) || spaces < 1 || !Number.isSafeInteger(seed)) {
    throw new LocatedError(
      'not a whole number',
      '--spaces, --seed',
      'Give a count of at least 1 and a seed.',
    );
  }
  console.log(`layout-oracle: seed ${seed}, sources in $XDG_CACHE_HOME/vfio-warden/layout-oracle`);
  let agreed = true;
  for (const source of kernelSources((text) => console.log(`layout-oracle: ${text}`))) {
    agreed = (await checkKernel(source, seed, spaces)) && agreed;
  }
  return agreed ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (problem) {
  if (!(problem instanceof LocatedError)) throw problem;
  console.error(problem.message);
  process.exitCode = 2;
}
