/**
 * random-run.ts generate DIRECTORY [BLOCKS ACCESSES SEED]: writes rules and accesses for `replay`.
 * random-run.ts compare DIRECTORY: holds what `replay` printed, and the hardware's trace, against the model.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { renderRules } from '../../src/mitigation/access-rules/render-rules.js';
import { NEWEST_TABLES, TABLES_6_1 } from '../../src/pci/config-space/capability-tables.js';
import { layoutOf } from '../../src/pci/config-space/layout.js';
import type { Mode } from '../../src/policy/policy-terms.js';
import { Random } from '../layout-oracle/random.js';
import { difference, randomBlock, readOutcome, replayLine, type Block } from './random-accesses.js';

const [action, directory = '.', ...numbers] = process.argv.slice(2);
const DEVICE = '0000:01:00.0';
const MODES: { host: Mode; device: Mode }[] = [
  { host: 'enforce', device: 'enforce' },
  { host: 'enforce', device: 'enforce' },
  { host: 'observe', device: 'enforce' },
  { host: 'enforce', device: 'observe' },
  { host: 'off', device: 'enforce' },
  { host: 'enforce', device: 'off' },
];

function blocks(): Block[] {
  const [count = 30, accesses = 1000, seed = 1] = numbers.map(Number);
  const random = new Random(seed);
  return Array.from({ length: count }, (_, i) => randomBlock(random, accesses, MODES[i % MODES.length]!));
}

function generate(): void {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'arguments'), numbers.join(' '));
  for (const [index, { hostMode, deviceMode, rules, accesses }] of blocks().entries()) {
    const document = {
      host: { mode: hostMode, outside: deviceMode },
      ...(rules
        ? { devices: [{ device: DEVICE, mode: deviceMode, rules: renderRules(rules) }] }
        : { remove: [DEVICE] }),
    };
    const name = join(directory, String(index).padStart(3, '0'));
    writeFileSync(`${name}.rules`, JSON.stringify(document));
    writeFileSync(`${name}.in`, `${accesses.map(replayLine).join('\n')}\n`);
  }
}

function compare(): void {
  numbers.push(...readFileSync(join(directory, 'arguments'), 'utf8').split(' ').filter(Boolean));
  const release = readFileSync(join(directory, 'release'), 'utf8');
  const tables = release.startsWith('6.1.') ? TABLES_6_1 : NEWEST_TABLES;
  const layout = layoutOf(readFileSync(join(directory, 'config')), { tables });
  const counts = new Map<string, number>();
  let compared = 0;
  let differences = 0;
  for (const [index, block] of blocks().entries()) {
    const name = join(directory, String(index).padStart(3, '0'));
    const lines = readFileSync(`${name}.out`, 'utf8').trim().split('\n');
    if (lines.length !== block.accesses.length) {
      console.log(`block ${index}: ${lines.length} outcomes of ${block.accesses.length}`);
      differences += 1;
    }
    for (const [at, line] of lines.entries()) {
      const access = block.accesses[at]!;
      const outcome = readOutcome(line);
      counts.set(outcome.seen, (counts.get(outcome.seen) ?? 0) + 1);
      compared += 1;
      const problem = difference(block, layout, access, outcome);
      if (problem === undefined) continue;
      differences += 1;
      if (differences <= 20) {
        console.log(
          `block ${index} (${block.hostMode}, ${block.deviceMode}) ${replayLine(access)}: ${line}: ${problem}`,
        );
        console.log(`  ${block.rules ? renderRules(block.rules) : 'no rules'}`);
      }
    }
  }
  console.log(
    `Linux ${release.trim()}: ${compared} accesses, ${differences} differences`,
    Object.fromEntries(counts),
  );
  process.exitCode = differences === 0 && compared > 0 ? 0 : 1;
}

if (action === 'generate') generate();
else if (action === 'compare') compare();
else throw new Error('generate DIRECTORY, or compare DIRECTORY');
