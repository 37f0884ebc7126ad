import { describe, expect, it } from 'vitest';
import { CAP, ECAP, TABLES_6_1 } from './capability-tables.js';
import {
  buildConfigSpace,
  deviceSerialNumber,
  gpuConfigSpace,
  l1PmSubstates,
  nicConfigSpace,
  nvmeConfigSpace,
  pciExpress,
  powerManagement,
  vendorSpecificExtended,
} from './config-space-builder.js';
import { hasAer, hasVpd, hiddenCapabilities, vendorCapabilities } from './layout-questions.js';
import { layoutOf, type ConfigSpaceLayout } from './layout.js';

const reachOf = (layout: ConfigSpaceLayout, offsets: number[]) =>
  offsets.map((offset) => layout.writeReach[offset]);

describe('the layout of a server NVMe drive', () => {
  const layout = layoutOf(nvmeConfigSpace());

  it('lists what the guest is shown, with the lengths that vfio gives it', () => {
    expect(layout.capabilities.map(({ name, start, length }) => [name, start, length])).toEqual([
      ['Power Management', 0x40, 8],
      ['MSI', 0x50, 14],
      ['PCI Express', 0x70, 0x34],
      ['MSI-X', 0xb0, 12],
      ['Advanced Error Reporting', 0x100, 0x2c],
      ['Device Serial Number', 0x148, 12],
      ['Power Budgeting', 0x158, 16],
      ['Latency Tolerance Reporting', 0x188, 8],
    ]);
  });

  it('counts what belongs to none of them', () => {
    expect(layout.unassignedBytes('legacy')).toBe(256 - 64 - (8 + 14 + 0x34 + 12));
    expect(layout.unassignedBytes('extended')).toBe(3840 - (0x2c + 12 + 16 + 8));
  });

  it('names what vfio hides, whose bytes a guest writes raw all the same', () => {
    expect(layout.hidden.map(({ name, start, length }) => [name, start, length])).toEqual([
      ['Secondary PCI Express', 0x168, undefined], // its length depends on the link's width
      ['L1 PM Substates', 0x190, 16],
    ]);
    expect(layout.owner[0x190]).toEqual({ kind: 'unassigned', hidden: layout.hidden[1] });
    expect(layout.kernelMap[0x190]).toBe(0xff);
    expect(layout.writeReach[0x190]).toBe('raw');
  });

  it('answers what the planner asks', () => {
    expect(layout).toMatchObject({ size: 4096, configSize: 4096, complete: true, express: true });
    expect(layout.functionLevelReset).toBe(true);
    expect(hasAer(layout)).toBe(true);
    expect(hasVpd(layout)).toBe(false);
    expect(vendorCapabilities(layout)).toEqual([]);
    expect(hiddenCapabilities(layout, 'legacy')).toEqual([]);
    expect(hiddenCapabilities(layout, 'extended')).toHaveLength(2);
    expect(layout.anomalies).toEqual([]);
  });
});

describe("how a guest's write fares", () => {
  const nic = layoutOf(nicConfigSpace());

  it('in the header: COMMAND, cache line, latency and BIST reach hardware, ids and BARs do not', () => {
    expect(reachOf(nic, [0x04, 0x05, 0x0c, 0x0d, 0x0f])).toEqual(['raw', 'partly', 'raw', 'raw', 'raw']);
    expect(nic.writableBits[0x05]).toBe(0xff & ~0x04); // INTx disable is the kernel's
    expect(reachOf(nic, [0x00, 0x06, 0x10, 0x3c])).toEqual([
      'dropped',
      'dropped',
      'virtualised',
      'virtualised',
    ]);
  });

  it('in PMCSR: all but PowerState and PME', () => {
    expect(nic.writableBits.slice(0x44, 0x48)).toEqual(Uint8Array.of(0xfc, 0x7e, 0xff, 0xff));
  });

  it('in MSI: mask and pending bits, and the number of vectors', () => {
    expect(reachOf(nic, [0x52, 0x54, 0x5c, 0x60, 0x64])).toEqual([
      'partly',
      'virtualised',
      'virtualised',
      'raw',
      'raw',
    ]);
  });

  it('in Device Control: not FLR, MRRS, MPS and phantom functions', () => {
    expect(nic.writableBits.slice(0xa8, 0xaa)).toEqual(Uint8Array.of(0x1f, 0x0d));
    expect(nic.writeReach[0xac]).toBe('dropped'); // Link Capabilities
  });

  it('in VPD: the kernel writes storage for the guest', () => {
    expect(reachOf(nic, [0xe2, 0xe3, 0xe4])).toEqual(['virtualised', 'mediated', 'virtualised']);
  });

  it('in AER: status, mask and severity', () => {
    expect(reachOf(nic, [0x100, 0x104, 0x106, 0x108, 0x110, 0x11c])).toEqual([
      'dropped',
      'partly',
      'raw',
      'partly',
      'partly',
      'dropped',
    ]);
  });

  it('in vendor-specific capabilities: raw, their headers too', () => {
    const gpu = layoutOf(gpuConfigSpace());
    expect(vendorCapabilities(gpu)?.map(({ start, length }) => [start, length])).toEqual([
      [0xb4, 0x14],
      [0x600, 0x24],
    ]);
    expect(reachOf(gpu, [0xb4, 0xc7, 0x600, 0x623])).toEqual(['raw', 'raw', 'raw', 'raw']);
  });

  it('in Advanced Features: the kernel resets where the device offers FLR and TP', () => {
    const offers = (capability: number) =>
      layoutOf(buildConfigSpace({ standard: [{ id: CAP.AF, body: [6, capability, 0, 0] }] }));
    expect(offers(0x03).writeReach[0x44]).toBe('mediated');
    expect(offers(0x03).functionLevelReset).toBe(true);
    expect(offers(0x02).writeReach[0x44]).toBe('dropped');
    expect(offers(0x02).functionLevelReset).toBe(false);
  });
});

describe('variable lengths', () => {
  const standard = (id: number, ...body: number[]) =>
    layoutOf(buildConfigSpace({ standard: [{ id, body }] }));
  const extended = (id: number, ...body: number[]) =>
    layoutOf(buildConfigSpace({ standard: [pciExpress()], extended: [{ id, body }] }));

  it.each([
    ['MSI, 32 bits', standard(CAP.MSI, 0x00, 0), 10],
    ['MSI, 64 bits', standard(CAP.MSI, 0x80, 0), 14],
    ['MSI, 32 bits, maskable', standard(CAP.MSI, 0x00, 1), 20],
    ['MSI, 64 bits, maskable', standard(CAP.MSI, 0x80, 1), 24],
    ['PCI-X', standard(CAP.PCIX, 0, 0x00), 8],
    ['PCI-X 2.0', standard(CAP.PCIX, 0, 0x10), 24],
    ['HyperTransport, slave', standard(CAP.HT, 0, 0x00), 28],
    ['HyperTransport, MSI mapping', standard(CAP.HT, 0, 0xa8), 24],
    ['SATA, registers in a BAR', standard(CAP.SATA, 0x10, 0, 0x04), 8],
    ['SATA, registers inline', standard(CAP.SATA, 0x10, 0, 0x0f), 16],
    ['PCI Express, version 1', standard(CAP.EXP, 0x01, 0), 0x14],
    ['PCI Express, version 1, root complex integrated', standard(CAP.EXP, 0x91, 0), 0x0c],
    ['PCI Express, version 2, root complex integrated', standard(CAP.EXP, 0x92, 0), 0x2c],
  ])('%s', (_, layout, length) => {
    expect(layout.capabilities[0]?.length).toBe(length);
  });

  it.each([
    ['Virtual Channel, one', extended(ECAP.VC, 0, 0, 0, 0, 0, 0, 0, 0), 0x1c],
    ['Virtual Channel, two with 32 phases', extended(ECAP.VC, 1, 0, 0, 0, 2, 0, 0, 0), 0x30 + 16],
    ['ACS', extended(ECAP.ACS, 0x1f, 0), 8],
    ['ACS with an egress vector of 40 bits', extended(ECAP.ACS, 0x20, 40), 8 + 8],
    ['ACS with an egress vector of 256 bits', extended(ECAP.ACS, 0x20, 0), 8 + 32],
    ['Resizable BAR, two', extended(ECAP.REBAR, 0, 0, 0, 0, 0x40), 4 + 16],
    ['Dynamic Power Allocation, four', extended(ECAP.DPA, 3), 20],
    ['TPH, table in MSI-X', extended(ECAP.TPH, 0, 4, 7), 12],
    ['TPH, table of eight', extended(ECAP.TPH, 0, 2, 7), 12 + 16],
    ['VSEC', extended(ECAP.VNDR, 1, 0, 0x81, 0x01), 0x18],
  ])('%s', (_, layout, length) => {
    const shown = layout.capabilities.find((capability) => capability.extended);
    expect(shown?.length).toBe(length);
  });

  it('follow the kernel that is asked for', () => {
    const space = buildConfigSpace({
      standard: [pciExpress(0x40)],
      extended: [deviceSerialNumber(), vendorSpecificExtended(0x20, 0x200, 0x23)],
    });
    const [older, newest] = [layoutOf(space, { tables: TABLES_6_1 }), layoutOf(space)];
    expect(newest.capabilities.map(({ length }) => length)).toEqual([0x34, 12, 0x20]);
    // 6.1 hides DVSEC, and leaves Link Status 2 to nobody.
    expect(older.capabilities.map(({ length }) => length)).toEqual([0x32, 12]);
    expect(older.hidden).toMatchObject([{ id: 0x23, start: 0x200, length: 0x20 }]);
    expect([older.writeReach[0x72], newest.writeReach[0x72]]).toEqual(['raw', 'dropped']);
  });
});

describe('where the chains begin and end', () => {
  it('hides standard capabilities too', () => {
    const layout = layoutOf(
      buildConfigSpace({ standard: [{ id: 0x0d, body: [0, 0, 1, 2, 3, 4] }, powerManagement()] }),
    );
    expect(layout.hidden).toMatchObject([
      { name: 'Subsystem Vendor ID', start: 0x40, length: 8, anchor: false },
    ]);
    expect(layout.capabilities).toMatchObject([{ start: 0x48 }]);
    expect(layout.unassignedBytes('legacy')).toBe(192 - 8);
  });

  it('keeps 4 bytes of a hidden first extended capability as a read-only placeholder', () => {
    const layout = layoutOf(
      buildConfigSpace({ standard: [pciExpress()], extended: [l1PmSubstates(), deviceSerialNumber()] }),
    );
    expect(layout.hidden).toMatchObject([{ start: 0x100, anchor: true }]);
    expect(layout.owner[0x103]).toMatchObject({ kind: 'anchor' });
    expect(Array.from(layout.kernelMap.slice(0x100, 0x106))).toEqual([0x1e, 0x1e, 0x1e, 0x1e, 0xff, 0xff]);
    expect(reachOf(layout, [0x103, 0x104])).toEqual(['dropped', 'raw']);
  });

  it('does not follow an extended chain without PCI Express, and then all of it is unassigned', () => {
    const layout = layoutOf(
      buildConfigSpace({ standard: [powerManagement()], extended: [deviceSerialNumber()] }),
    );
    expect(layout).toMatchObject({ express: false, extendedChain: false, hidden: [] });
    expect(layout.unassignedBytes('extended')).toBe(3840);
  });

  it('has no capability where STATUS says so', () => {
    const space = nvmeConfigSpace();
    space[6] = 0;
    expect(layoutOf(space)).toMatchObject({ capabilities: [], hidden: [], express: false });
  });

  it("ends at a device's cap (NFP: 1,536 bytes)", () => {
    const layout = layoutOf(nvmeConfigSpace(), { configSize: 0x600 });
    expect(layout).toMatchObject({ size: 0x600, configSize: 0x600, complete: true });
    expect(layout.kernelMap).toHaveLength(0x600);
    expect(layout.unassignedBytes('extended')).toBe(0x500 - 80);
  });

  it('splits regions at 0x100, which is where a conventional bus ends', () => {
    const layout = layoutOf(buildConfigSpace({}));
    expect(layout.regions.at(-2)).toMatchObject({ start: 0x40, length: 0xc0 });
    expect(layout.regions.at(-1)).toMatchObject({ start: 0x100, length: 0xf00 });
  });
});

describe('what could not be read stays unknown', () => {
  it('behind the 64 bytes that sysfs gives without privilege', () => {
    const layout = layoutOf(nvmeConfigSpace().subarray(0, 64), { configSize: 4096 });
    expect(layout).toMatchObject({
      size: 64,
      configSize: 4096,
      complete: false,
      capabilities: [],
      hidden: [],
    });
    expect(layout).toMatchObject({ express: undefined, functionLevelReset: undefined });
    expect(hasAer(layout)).toBeUndefined();
    expect(hiddenCapabilities(layout, 'extended')).toBeUndefined();
    expect(layout.unassignedBytes('legacy')).toBe(0);
  });

  it('behind 256 of 4,096 bytes', () => {
    const layout = layoutOf(nvmeConfigSpace().subarray(0, 256), { configSize: 4096 });
    expect(layout).toMatchObject({ size: 256, complete: false, express: true, functionLevelReset: true });
    expect(layout.capabilities).toHaveLength(4);
  });

  it('of a dump of 256 bytes, unless the device cannot have more', () => {
    const dump = (space: Uint8Array) => layoutOf(space.subarray(0, 256));
    expect(dump(nvmeConfigSpace())).toMatchObject({ size: 256, configSize: undefined, complete: false });
    expect(dump(buildConfigSpace({ standard: [powerManagement()] }))).toMatchObject({
      configSize: 256,
      complete: true,
    });
    expect(layoutOf(nvmeConfigSpace().subarray(0, 256), { configSize: 256 })).toMatchObject({
      complete: true,
      extendedChain: false,
    });
  });

  it('of a header cut short, and of nothing', () => {
    for (const length of [63, 1, 0]) {
      const layout = layoutOf(nvmeConfigSpace().subarray(0, length));
      expect(layout).toMatchObject({ size: 0, complete: false, regions: [], configSize: undefined });
    }
  });

  it('refuses a size that no config space has', () => {
    expect(() => layoutOf(nvmeConfigSpace(), { configSize: 8192 })).toThrow(RangeError);
  });
});
