import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { NODE_INVENTORY } from '../fixtures/scenario.js';
import { wardenctl } from './run-wardenctl.js';

const NVME = NODE_INVENTORY.functions.find(({ class: code }) => code.startsWith('0108'))!;
const TOUCHED = { device: NVME.bdf, access: 'write', region: 'cfg', offset: 0xff0, reason: 'unassigned' };

let directory: string;
let env: NodeJS.ProcessEnv;

/** What `warden-guard` says on a host whose guard counts for ten days. */
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'observe-'));
  const now = Date.now();
  const counts = {
    judged: 512,
    blocked: 0,
    observed: 37,
    unjudged: 0,
    firstAt: now - 10 * 86_400_000,
    lastAt: now,
  };
  const status = { ok: true, attached: true, tested: true, devices: [{ device: NVME.bdf, ...counts }] };
  const place = { ...TOUCHED, outcome: 'observed', count: 37, firstAt: now - 1000, lastAt: now };
  const guard = join(directory, 'warden-guard');
  const answers = { status, places: { ok: true, places: [place] } };
  for (const [name, answer] of Object.entries(answers)) {
    await writeFile(join(directory, name), JSON.stringify(answer));
  }
  await writeFile(guard, `#!/bin/sh\nexec cat '${directory}'/"$1"\n`);
  await chmod(guard, 0o755);
  env = { WARDEN_WARDEN_GUARD: guard, WARDEN_INVENTORY: 'test/fixtures/inventory/node.json' };
});
afterAll(() => rm(directory, { recursive: true }));

it('wardenctl observe report tells what guests touched, and what to do about it', async () => {
  const { stdout, code } = await wardenctl(['observe', 'report'], { env });
  expect(code).toBe(0);
  expect(stdout).toContain(`${NVME.vendor}:${NVME.device} (${NVME.bdf}): 512 accesses judged in 10.0 days`);
  expect(stdout).toMatch(/cfg 0xff0 +write +unassigned +37 +0 /);
  expect(stdout).toContain('exempt unassigned-extended');
});

it('wardenctl observe report --exemptions gives a document that a policy bundle takes as it is', async () => {
  const args = ['observe', 'report', '--exemptions', '--owner', 'storage team', '--ticket', 'OPS-4711'];
  const { stdout } = await wardenctl(args, { env });
  expect(stdout).toContain('guests touch 0xff0');
  for (const folder of ['policies', 'exemptions'])
    await mkdir(join(directory, 'bundle', folder), { recursive: true });
  const policy =
    'apiVersion: vfio-warden.dev/v1\nkind: Policy\nmetadata: { name: all }\nspec:\n  rules:\n' +
    '    - { name: all, mode: enforce, require: [unassigned-extended], mitigations: [kernel-guard] }\n';
  await writeFile(join(directory, 'bundle/policies/all.yaml'), policy);
  await writeFile(join(directory, 'bundle/exemptions/touched.yaml'), stdout);
  const validated = await wardenctl(['policy', 'validate', join(directory, 'bundle')]);
  expect(validated.stdout + validated.stderr).not.toContain('touched.yaml:');
  expect(validated.code).toBe(0);
});

it('wardenctl observe report --exemptions asks who answers for them', async () => {
  const { stderr, code } = await wardenctl(['observe', 'report', '--exemptions'], { env });
  expect(code).toBe(2);
  expect(stderr).toContain('Give --owner and --ticket');
});
