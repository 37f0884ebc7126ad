import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { wordsOfLog } from '../../src/filter/log-words.js';
import { monitorWords } from '../../src/filter/monitor-words.js';
import { filterDigest, rulesOf } from '../../src/mitigation/qemu-filter/filter-text.js';
import { FakeHost, FilteredQemu, type Hardware, type QemuOptions } from './filtered-qemu.js';

const STOCK = '/usr/bin/qemu-system-x86_64';
/** What `qemu/build.sh 7.2` has built, where it was run. */
const PATCHED = `${process.env['QEMU_CACHE'] ?? '/var/cache/vfio-warden/qemu'}/patched-7.2/b/qemu-system-x86_64`;
const NVME = '0000:01:00.0';
const LATER = '0000:02:00.0';
const HERE = { bus: 0, slot: 5 } as const;
const PLUGGED = { bus: 1, slot: 0 } as const;

/** PMCSR's byte 0 is closed; what a driver needs at 0x800 is open, and what is plugged in later has the standard. */
const RULES = 'unassigned:w:block;cfg:800-803:w:allow;cfg:44:w:block';
const TEXT = `${NVME}=${RULES} *=unassigned:w:block`;

/** How a carrier is given its rules. */
const CARRIERS = {
  preload: (host: FakeHost, rules: string, mode = 'block'): QemuOptions => ({
    binary: STOCK,
    env: {
      LD_PRELOAD: `${host.filter}:${host.kernel}`,
      VFIO_WARDEN_RULES: rules,
      VFIO_WARDEN_FILTER: mode,
    },
  }),
  property: (_: FakeHost, rules: string, mode = 'block'): QemuOptions => ({
    binary: PATCHED,
    args: [
      '-global',
      `vfio-pci.x-config-filter=${mode}`,
      '-global',
      `vfio-pci.x-config-filter-rules=${rules}`,
    ],
  }),
};
type CarrierName = keyof typeof CARRIERS;

const available = (['preload', 'property'] as const).filter((name) =>
  existsSync(name === 'preload' ? STOCK : PATCHED),
);
if (!available.includes('property')) console.warn('the property is skipped: run qemu/build.sh 7.2');

/** QEMU and its vfio-pci are real; the kernel beneath is vfio-kernel.c, whose devices are files. */
describe.skipIf(available.length === 0)('the config filter in a real QEMU with vfio-pci', () => {
  const directory = mkdtempSync(join(tmpdir(), 'warden-carriers-'));
  let host: FakeHost;
  let nvme: Hardware;
  let qemu: FilteredQemu | undefined;

  beforeAll(() => {
    host = new FakeHost(directory);
  }, 60_000);
  afterEach(async () => {
    await qemu?.end();
    qemu = undefined;
    nvme?.close();
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  async function start(options: QemuOptions, bytes?: Record<number, number[]>): Promise<FilteredQemu> {
    nvme = host.device(NVME, 7, bytes);
    const device = ['-device', `vfio-pci,id=nvme,sysfsdev=${nvme.sysfs},bus=pcie.0,addr=5`];
    qemu = await FilteredQemu.start(host, { ...options, args: [...(options.args ?? []), ...device] });
    return qemu;
  }

  it('is needed: without it everything arrives', async () => {
    const guest = await start({ binary: STOCK });
    await guest.write(HERE, 0x900, 4, 0x1122_3344);
    expect(nvme.config(0x900, 4)).toBe(0x1122_3344);
  });

  describe.each(available)('by %s', (name: CarrierName) => {
    const carrying = (rules: string, mode?: string) => CARRIERS[name](host, rules, mode);

    it('keeps from hardware what the rules say, and nothing else', async () => {
      const guest = await start(carrying(TEXT));
      for (const offset of [0x900, 0xf0, 0x44]) {
        const before = nvme.config(offset, 1);
        await guest.write(HERE, offset, 1, ~before & 0xff);
        expect([offset, nvme.config(offset, 1)]).toEqual([offset, before]);
      }
      await guest.write(HERE, 0x800, 4, 0x5566_7788);
      await guest.write(HERE, 0x0c, 1, 0x10);
      expect([nvme.config(0x800, 4), nvme.config(0x0c, 1)]).toEqual([0x5566_7788, 0x10]);
      expect(await guest.read(HERE, 0x00, 4)).toBe(0x0010_1b36);
    });

    it(`${name === 'property' ? 'cuts' : 'drops as a whole'} an access to closed and other bytes at once`, async () => {
      const guest = await start(carrying(TEXT));
      // MSI ends at 0x5d.
      await guest.write(HERE, 0x5c, 4, 0x4433_2211);
      expect(nvme.config(0x5c, 4)).toBe(name === 'property' ? 0x2211 : 0);
    });

    it('filters a device that is plugged in later', async () => {
      const guest = await start(carrying(TEXT));
      const later = host.device(LATER, 8);
      await guest.qmp('device_add', { driver: 'vfio-pci', id: 'later', sysfsdev: later.sysfs, bus: 'rp' });
      expect(await guest.read(PLUGGED, 0x00, 4)).toBe(0x0010_1b36);
      await guest.write(PLUGGED, 0x800, 4, 0x0101_0101);
      await guest.write(PLUGGED, 0x0c, 1, 0x10);
      expect([later.config(0x800, 4), later.config(0x0c, 1)]).toEqual([0, 0x10]);
      later.close();
    });

    it('goes on after the VM was reset', async () => {
      const guest = await start(carrying(TEXT));
      await guest.reset();
      await guest.write(HERE, 0x900, 4, 0x1122_3344);
      await guest.write(HERE, 0x0c, 1, 0x10);
      expect([nvme.config(0x900, 4), nvme.config(0x0c, 1)]).toEqual([0, 0x10]);
    });

    it('is read back as what was asked for', async () => {
      const guest = await start(carrying(TEXT));
      const later = host.device(LATER, 8);
      await guest.qmp('device_add', { driver: 'vfio-pci', id: 'later', sysfsdev: later.sysfs, bus: 'rp' });
      const log = `2026-11-26 11:17:13.120+0000: starting up libvirt version: 9.0.0\n${guest.log}`;
      const found =
        name === 'property' ? await monitorWords((text) => guest.askMonitor(text)) : wordsOfLog(log);

      const word = (bdf: string) => ({ mode: 'block', digest: filterDigest(rulesOf(TEXT, bdf)!) });
      expect(found).toEqual({
        words: new Map([
          [NVME, word(NVME)],
          [LATER, word(LATER)],
        ]),
      });
      later.close();
    });

    it('blocks nothing where it only observes', async () => {
      const guest = await start(carrying(TEXT, 'observe'));
      await guest.write(HERE, 0x900, 4, 1);
      expect(nvme.config(0x900, 4)).toBe(1);
    });

    it('leaves QEMU no device where its rules are wrong, also those of another device', async () => {
      const wrong = `${NVME}=unassigned:w:block ${LATER}=unassigned:w:blok`;
      await expect(start(carrying(wrong))).rejects.toThrow(
        /wrong at character 46, before ["']unassigned:w:blok["']/,
      );
      await expect(start(carrying(TEXT, 'on'))).rejects.toThrow(/observe/);
    });

    it('closes the mirror of an NVIDIA VGA and the short cut behind it, 15 equal writes included', async () => {
      const vga = { 0x00: [0xde, 0x10, 0x01, 0x1c], 0x09: [0x00, 0x00, 0x03] };
      const window = name === 'preload' ? ';bar0:88000-88fff:w:block;ioctl:ioeventfd:block' : '';
      const guest = await start(carrying(`${NVME}=unassigned:w:block${window}`), vga);
      await guest.write(HERE, 0x10, 4, 0xe000_0000);
      await guest.write(HERE, 0x04, 2, 0x0002);
      for (let write = 0; write < 15; write += 1) await guest.writeMemory(0xe008_80f0, 0x1234_5678);
      expect([nvme.config(0xf0, 4), nvme.bar0(0x8_80f0, 4)]).toEqual([0, 0]);
      // Elsewhere in the BAR nothing is in the way.
      await guest.writeMemory(0xe009_0000, 0x1234_5678);
      expect(nvme.bar0(0x9_0000, 4)).toBe(0x1234_5678);
    });
  });

  it.skipIf(!available.includes('property'))('by property traps a window that no quirk knows', async () => {
    const guest = await start(CARRIERS.property(host, `${NVME}=unassigned:w:block;bar0:92000-92fff:w:block`));
    await guest.write(HERE, 0x10, 4, 0xe000_0000);
    await guest.write(HERE, 0x04, 2, 0x0002);
    await guest.writeMemory(0xe009_20f0, 1);
    await guest.writeMemory(0xe009_3000, 1);
    expect([nvme.bar0(0x9_20f0, 4), nvme.bar0(0x9_3000, 4)]).toEqual([0, 1]);
  });

  it.skipIf(!available.includes('property'))(
    'behaves as before where a patched QEMU has no rules',
    async () => {
      const guest = await start({ binary: PATCHED });
      await guest.write(HERE, 0x900, 4, 0x1122_3344);
      await guest.write(HERE, 0x5c, 4, 0x4433_2211);
      expect([nvme.config(0x900, 4), nvme.config(0x5c, 4)]).toEqual([0x1122_3344, 0x4433_2211]);
      expect(await monitorWords((text) => guest.askMonitor(text))).toEqual({ words: new Map() });
    },
  );
});
