import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeHost, FilteredQemu, type QemuOptions } from '../qemu-filter/filtered-qemu.js';
import { print, remark } from './figures.js';

const QEMU = `${process.env['QEMU_CACHE'] ?? '/var/cache/vfio-warden/qemu'}/patched-7.2/b/qemu-system-x86_64`;
const VALGRIND = '/usr/bin/valgrind';
const NVME = '0000:01:00.0';
const SLOT = { bus: 0, slot: 5 } as const;
/** The first of them warm caches up; what they cost is what the second count costs more. */
const READS = [200, 1200] as const;
/** As a plan makes them: nobody's bytes, a register, and what a driver needs. */
const RULES = `${NVME}=unassigned:w:block;unassigned:r:allow;cfg:44-47:w:block;cfg:800-8ff:rw:allow`;

/**
 * Instructions that QEMU itself takes for a guest's read of config space, from its memory dispatcher to the call of vfio and back
 * (callgrind): the kernel's, and those of the guest's way out of its processor, come on top for all alike.
 */
export async function benchFilter(): Promise<void> {
  const missing = [QEMU, VALGRIND].find((path) => !existsSync(path));
  if (missing !== undefined) {
    remark(`skipped: filter: there is no ${missing}`);
    return;
  }
  const directory = mkdtempSync(join(tmpdir(), 'warden-bench-filter-'));
  try {
    const host = new FakeHost(directory);
    const off = await instructions(host, {});
    print('filter.config-read.off', off, 'instructions');
    const candidates = {
      property: {
        args: [
          '-global',
          'vfio-pci.x-config-filter=block',
          '-global',
          `vfio-pci.x-config-filter-rules=${RULES}`,
        ],
      },
      preload: { env: { LD_PRELOAD: `${host.filter}:${host.kernel}`, VFIO_WARDEN_RULES: RULES } },
    };
    for (const [name, options] of Object.entries(candidates)) {
      const taken = await instructions(host, options);
      print(`filter.config-read.${name}`, taken, 'instructions');
      print(`filter.config-read.${name}`, taken / off, 'ratio', 'off');
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function instructions(host: FakeHost, options: Omit<QemuOptions, 'binary'>): Promise<number> {
  const [few, many] = [await collected(host, options, READS[0]), await collected(host, options, READS[1])];
  return (many - few) / (READS[1] - READS[0]);
}

async function collected(
  host: FakeHost,
  options: Omit<QemuOptions, 'binary'>,
  reads: number,
): Promise<number> {
  const nvme = host.device(NVME, 7);
  const device = ['-device', `vfio-pci,id=nvme,sysfsdev=${nvme.sysfs},bus=pcie.0,addr=5`];
  const toggle = ['--tool=callgrind', '--toggle-collect=memory_region_dispatch_read'];
  const qemu = await FilteredQemu.start(host, {
    ...options,
    binary: QEMU,
    under: [VALGRIND, ...toggle, '--callgrind-out-file=/dev/null'],
    args: [...(options.args ?? []), ...device],
  });
  try {
    for (let read = 0; read < reads; read += 1) await qemu.read(SLOT, 0x00, 4);
    const said = /Collected : (\d+)/.exec(await qemu.quit());
    if (!said) throw new Error(`callgrind did not say what it has counted: ${qemu.log.slice(-500)}`);
    return Number(said[1]);
  } finally {
    await qemu.end();
    nvme.close();
  }
}
