import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { renderRules } from '../../src/mitigation/access-rules/render-rules.js';
import type { Mode } from '../../src/policy/policy-terms.js';
import { Random } from '../../test/layout-oracle/random.js';
import { difference, randomBlock, readOutcome, replayLine, type Block } from '../accesses/random-accesses.js';
import type { DeviceFacts } from '../exposures/exposure.js';
import { named, onGuard } from '../outside/guarded-guests.js';
import type { LabHost } from '../outside/lab-host.js';
import type { LabCase } from './lab-case.js';

const SOURCE = fileURLToPath(new URL('../../kernel/guard', import.meta.url));
const BLOCKS = 30;
const ACCESSES = 1000;
const SEED = 1;
const MOST_TOLD = 20;
const MODES: readonly { host: Mode; device: Mode }[] = [
  { host: 'enforce', device: 'enforce' },
  { host: 'enforce', device: 'enforce' },
  { host: 'observe', device: 'enforce' },
  { host: 'enforce', device: 'observe' },
  { host: 'off', device: 'enforce' },
  { host: 'enforce', device: 'off' },
];

export default [
  {
    name: 'guard-random',
    summary: `${BLOCKS * ACCESSES} random accesses of a process on a vfio device, under random rules, held against the model`,
    byDefault: false,
    run: (context) =>
      onGuard(context, async (host, devices, result) => {
        execFileSync('make', ['-s', '-C', SOURCE, 'build/replay'], { stdio: 'pipe' });
        const [nvme] = named(devices, 'nvme');
        const node = `pci_${nvme!.bdf.replaceAll(/[:.]/g, '_')}`;
        const logged = await kernelProblems(host);
        const counts = new Map<string, number>();
        const differences: string[] = [];
        await host.virsh(['nodedev-detach', node]);
        try {
          const random = new Random(SEED);
          for (let at = 0; at < BLOCKS; at += 1) {
            const block = randomBlock(random, ACCESSES, MODES[at % MODES.length]!);
            differences.push(
              ...(await replay(host, nvme!, block, counts)).map((text) => `block ${at}: ${text}`),
            );
          }
        } finally {
          await apply(host, { host: { mode: 'enforce', outside: 'observe' }, remove: [nvme!.bdf] });
          await host.virsh(['nodedev-reattach', node]);
        }
        const seen = [...counts].map(([outcome, count]) => `${count} ${outcome}`).join(', ');
        result[differences.length === 0 ? 'seen' : 'failures'].push(
          `${BLOCKS * ACCESSES} accesses, ${differences.length} differ from the model (${seen})`,
        );
        result.failures.push(...differences.slice(0, MOST_TOLD));
        const problems = (await kernelProblems(host)) - logged;
        result[problems === 0 ? 'seen' : 'failures'].push(
          `${problems} warnings or errors in the kernel's log`,
        );
      }),
  },
] satisfies LabCase[];

/** Carries a block out, and tells what differs from the model. */
async function replay(
  host: LabHost,
  { bdf, layout }: DeviceFacts,
  block: Block,
  counts: Map<string, number>,
): Promise<string[]> {
  const { hostMode, deviceMode, rules, accesses } = block;
  await apply(host, {
    host: { mode: hostMode, outside: deviceMode },
    ...(rules
      ? { devices: [{ device: bdf, mode: deviceMode, rules: renderRules(rules) }] }
      : { remove: [bdf] }),
  });
  const stdin = `${accesses.map(replayLine).join('\n')}\n`;
  const printed = await host.agent.run([`${host.project}/kernel/guard/build/replay`, bdf], { stdin });
  const lines = printed.trim().split('\n');
  if (lines.length !== accesses.length) return [`${lines.length} outcomes of ${accesses.length} accesses`];
  return lines.flatMap((line, index) => {
    const outcome = readOutcome(line);
    counts.set(outcome.seen, (counts.get(outcome.seen) ?? 0) + 1);
    const problem = difference(block, layout, accesses[index]!, outcome);
    return problem === undefined
      ? []
      : [`(${hostMode}, ${deviceMode}) ${replayLine(accesses[index]!)}: ${line}: ${problem}`];
  });
}

async function apply(host: LabHost, document: Record<string, unknown>): Promise<void> {
  await host.agent.run(['warden-guard', 'apply'], { stdin: JSON.stringify(document) });
}

/** Lines that a fault of the guard would leave. */
async function kernelProblems(host: LabHost): Promise<number> {
  const log = await host.agent.run(['dmesg']);
  return log.split('\n').filter((line) => /BUG|WARNING|Oops|Call Trace|general protection/.test(line)).length;
}
