import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import nvme from '../../lab/devices/nvme.js';
import type { Agent } from '../../lab/outside/agent.js';
import { LinuxGuest } from '../../lab/outside/linux-guest.js';
import { OuterMachine } from '../../lab/outside/outer-machine.js';
import { prepareHost } from '../../lab/prepare/hosts.js';
import type { Kernel } from '../../lab/prepare/kernel.js';
import { print, remark } from './figures.js';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
const BUILD = 'kernel/guard/build';
/** The one NVMe of the host is behind its first root port. */
const DEVICE = '0000:01:00.0';

/** How `test/replay.c` names what it counts, and how often it is done: the first of them warms caches up. */
const CALLS = { zero: 5000, read: 2000, write: 2000 };
type Call = keyof typeof CALLS;
const NAMES: Record<Call, string> = {
  zero: 'unrelated-pread',
  read: 'config-read',
  write: 'config-write',
};

/** Seconds: its kernel is emulated by an emulated processor, of which there is one. */
const GUEST_BOOT_S = 1500;
const GUEST_ROUNDS = 20;

const RULES = 'unassigned:w:block;cfg:44-47:w:block;cfg:800-8ff:w:block';

/**
 * Instructions of a system call under the kernel guard, counted by a host whose clock counts them: the same figure in every run
 * of the same kernel and compiler, whatever else the machine does.
 */
export async function benchGuard(): Promise<void> {
  execFileSync('make', ['-s', '-C', `${PROJECT}/kernel/guard`, 'build/warden-guard', 'build/replay']);
  const prepared = await prepareHost('debian12', remark);
  const machine = await OuterMachine.boot({
    ...prepared,
    project: PROJECT,
    devices: [nvme],
    countInstructions: true,
  });
  try {
    remark(`Linux ${prepared.kernel.release}, one processor, one instruction a nanosecond`);
    await measure(machine, prepared.kernel);
  } finally {
    await machine.off();
  }
}

async function measure({ agent }: OuterMachine, kernel: Kernel): Promise<void> {
  const guard = `/machine${PROJECT}/${BUILD}/warden-guard`;
  const device = `/sys/bus/pci/devices/${DEVICE}`;
  // Named as a hypervisor, so that the standard of the host holds for it.
  const prepare = [
    `cp /machine${PROJECT}/${BUILD}/replay /tmp/qemu-replay`,
    `echo vfio-pci >${device}/driver_override`,
    `echo ${DEVICE} >${device}/driver/unbind`,
    `echo ${DEVICE} >/sys/bus/pci/drivers_probe`,
  ];
  await agent.run(['sh', '-ec', prepare.join('\n')]);
  const states: Record<string, () => Promise<unknown>> = {
    'not-attached': async () => undefined,
    off: async () => agent.run([guard, 'attach', '--mode', 'off'], { timeout: 600 }),
    enforcing: async () => agent.run([guard, 'mode', 'enforce']),
    'with-rules': async () => {
      const document = { devices: [{ device: DEVICE, mode: 'enforce', rules: RULES }] };
      return agent.run([guard, 'apply'], { stdin: JSON.stringify(document) });
    },
  };
  for (const [state, enter] of Object.entries(states)) {
    await enter();
    for (const [call, count] of await counted(agent)) tell(NAMES[call], state, count);
  }
  await agent.run([guard, 'detach', '--force']);
  const guest = await bootGuest(agent, kernel);
  for (const [state, enter] of Object.entries(states)) {
    await enter();
    // Twice: what is done for the first time is not what is asked about.
    await countedInGuest(guest);
    tell('guest-config-read', state, await countedInGuest(guest));
  }
}

/** Prints a figure, and what it is of that without the guard. */
const tell = (() => {
  const without = new Map<string, number>();
  return (name: string, state: string, count: number) => {
    print(`guard.${name}.${state}`, count, 'instructions');
    const before = without.get(name);
    if (before === undefined) return void without.set(name, count);
    if (name === NAMES.zero) print(`guard.${name}.${state}.added`, count - before, 'instructions');
    print(`guard.${name}.${state}`, count / before, 'ratio', 'not-attached');
  };
})();

/** A Linux that has the device, and uses it. */
async function bootGuest(agent: Agent, kernel: Kernel): Promise<LinuxGuest> {
  const name = 'bench';
  const device = ['-device', `vfio-pci,host=${DEVICE}`];
  await agent.spawn(
    ['qemu-system-x86_64', ...LinuxGuest.qemuArguments(kernel, name), ...device],
    '/tmp/qemu.log',
  );
  await agent.run(['sh', '-c', `until [ -S /run/${name}.console ]; do sleep 0.2; done`]);
  const guest = new LinuxGuest({ agent }, name);
  await guest.booted(GUEST_BOOT_S);
  return guest;
}

/**
 * What its root waits for a read of four bytes of config space, by its own clock: a program that reads all of it, less the same
 * program reading as often from a device of memory.
 */
async function countedInGuest(guest: LinuxGuest): Promise<number> {
  const now = "sed -n 's/^now at \\([0-9]*\\).*/\\1/p' /proc/timer_list";
  const reads = (file: string) =>
    `i=0; while [ $i -lt ${GUEST_ROUNDS} ]; do dd if=${file} of=/dev/null bs=4 count=1024 2>/dev/null; i=$((i+1)); done`;
  const config = '$(dirname $(grep -l 0x010802 /sys/bus/pci/devices/*/class))/config';
  const out = await guest.run(
    `c=${config}; ${now}; ${reads('/dev/zero')}; ${now}; ${reads('$c')}; ${now}`,
    GUEST_BOOT_S,
  );
  // Its kernel may have something to say in between.
  const [start, middle, end] = [...out.matchAll(/^\s*(\d{6,})\s*$/gm)].map(([, time]) => Number(time));
  if (end === undefined) throw new Error(`the guest said: ${out}`);
  return (end - middle! - (middle! - start!)) / (1024 * GUEST_ROUNDS);
}

async function counted(agent: Agent): Promise<[Call, number][]> {
  const lines = (Object.keys(CALLS) as Call[]).map((call) => `time ${call} ${CALLS[call]}\n`);
  // Each of them twice: what is done for the first time is not what is asked about.
  const out = await agent.run(['/tmp/qemu-replay', DEVICE], {
    stdin: lines.join('') + lines.join(''),
    timeout: 600,
  });
  return out
    .trim()
    .split('\n')
    .slice(-lines.length)
    .map((line) => {
      const [, call, count] = /^time (\w+) ([\d.]+)$/.exec(line) ?? [];
      if (call === undefined) throw new Error(`replay said: ${line}`);
      return [call as Call, Number(count)];
    });
}
