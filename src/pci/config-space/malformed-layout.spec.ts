import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CAP, ECAP } from './capability-tables.js';
import {
  advancedErrorReporting,
  buildConfigSpace,
  deviceSerialNumber,
  msi,
  pciExpress,
  powerManagement,
  vendorSpecific,
  vendorSpecificExtended,
} from './config-space-builder.js';
import { layoutOf, type ConfigSpaceLayout } from './layout.js';

const reachOf = (layout: ConfigSpaceLayout, offsets: number[]) =>
  offsets.map((offset) => layout.writeReach[offset]);

describe('malformed config spaces get the layout that the kernel gives them', () => {
  const problemsOf = (layout: ConfigSpaceLayout) =>
    layout.anomalies.map(({ offset, problem }) => `0x${offset.toString(16)} ${problem}`).join('\n');

  it('a loop', () => {
    const space = buildConfigSpace({ standard: [powerManagement(0x40), msi(0x50)] });
    space[0x51] = 0x40;
    const layout = layoutOf(space);
    expect(problemsOf(layout)).toContain('the standard chain has no end');
    expect(layout.capabilities).toHaveLength(2);
  });

  it('a loop in the extended chain', () => {
    const space = buildConfigSpace({ standard: [pciExpress()], extended: [deviceSerialNumber()] });
    space[0x103] = 0x10; // next: 0x100
    expect(problemsOf(layoutOf(space))).toContain('0x100 the extended chain has no end');
  });

  it('a pointer into the header, whose bytes then belong to the capability', () => {
    const space = buildConfigSpace({ standard: [powerManagement(0x40)] });
    space[0x41] = 0x2c;
    space[0x2c] = CAP.VNDR;
    space[0x2e] = 8;
    const layout = layoutOf(space);
    expect(problemsOf(layout)).toContain('0x2c a capability pointer into the header');
    expect(reachOf(layout, [0x2b, 0x2c, 0x33, 0x34])).toEqual(['dropped', 'raw', 'raw', 'dropped']);
  });

  it('registers in the header: each of their bytes is judged as the first, so PMCSR is out of reach', () => {
    const space = buildConfigSpace({ standard: [powerManagement(0x40)] });
    space[0x41] = 0x2c;
    space[0x2c] = CAP.PM;
    const layout = layoutOf(space);
    expect(reachOf(layout, [0x30, 0x44])).toEqual(['dropped', 'partly']);
  });

  it('capabilities that overlap: the later one has the bytes', () => {
    const layout = layoutOf(
      buildConfigSpace({ standard: [vendorSpecific(0x20, 0x40), powerManagement(0x50)] }),
    );
    expect(problemsOf(layout)).toContain('Power Management at 0x50 overlaps');
    expect(Array.from(layout.kernelMap.slice(0x4f, 0x59))).toEqual([9, 1, 1, 1, 1, 1, 1, 1, 1, 9]);
  });

  it('a capability that runs past the end', () => {
    const space = buildConfigSpace({
      standard: [pciExpress()],
      extended: [deviceSerialNumber(), vendorSpecificExtended(0x20, 0xff0 - 0x10)],
    });
    new DataView(space.buffer).setUint32(0xfe4, (0x100 << 20) | 1, true);
    const layout = layoutOf(space);
    expect(problemsOf(layout)).toContain('past the end of config space');
    expect(layout.refused).toContain('4,096 bytes');
    expect(layout.kernelMap).toHaveLength(4096);
  });

  it('an unaligned MSI, whose length the kernel cannot read: it refuses the device', () => {
    const space = buildConfigSpace({ standard: [powerManagement(0x40)] });
    space[0x41] = 0x51;
    space[0x51] = CAP.MSI;
    const layout = layoutOf(space);
    expect(problemsOf(layout)).toContain('0x51 a capability pointer that is not aligned');
    expect(layout.refused).toContain('cannot read the length of MSI at 0x51');
  });

  it('all-ones: a device that does not answer', () => {
    const layout = layoutOf(new Uint8Array(4096).fill(0xff));
    expect(layout.anomalies[0]).toEqual({
      offset: 0,
      problem: 'the header reads all-ones: the device does not answer',
    });
    expect(layout.capabilities).toEqual([]);
  });

  it('two capabilities of one id side by side, which the kernel takes for one', () => {
    const aer = { ...advancedErrorReporting(), body: [] };
    const layout = layoutOf(
      buildConfigSpace({
        standard: [pciExpress()],
        extended: [
          { ...aer, at: 0x100 },
          { ...aer, at: 0x12c },
        ],
      }),
    );
    expect(problemsOf(layout)).toContain(
      '0x12c the kernel judges writes from here on by memory behind its table',
    );
    expect(layout.writeReach[0x12c]).toBe('raw'); // cannot be told: the worst is assumed
  });

  it('whatever the bytes: every byte has one owner, and the answer agrees with itself', () => {
    /** Random bytes seldom form a chain, so pointers and ids are set here and there. */
    const hostile = fc
      .record({
        bytes: fc.uint8Array({ minLength: 0, maxLength: 4096, size: 'max' }),
        standard: fc.array(fc.tuple(fc.integer({ min: 0x40, max: 0xff }), fc.integer({ min: 0, max: 0x15 }))),
        extended: fc.array(
          fc.tuple(fc.integer({ min: 0x40, max: 0x3ff }), fc.integer({ min: 0, max: 0x32 })),
        ),
      })
      .map(({ bytes, standard, extended }) => {
        const set = (at: number, value: number) => {
          if (at < bytes.length) bytes[at] = value;
        };
        set(6, 0x10);
        let pointer = 0x34;
        for (const [at, id] of standard) {
          set(pointer, at);
          set(at, id);
          pointer = at + 1;
        }
        for (const [dword, id] of [[0x40, ECAP.VC], ...extended] as [number, number][]) {
          set(dword * 4, id);
          set(dword * 4 + 1, 0);
        }
        return bytes;
      });
    fc.assert(
      fc.property(hostile, (bytes) => {
        const layout = layoutOf(bytes);
        const { size, regions, owner, writeReach, writableBits, kernelMap } = layout;
        for (const perByte of [owner, writeReach, writableBits, kernelMap])
          expect(perByte).toHaveLength(size);
        let next = 0;
        for (const { start, length, owner: whose, write } of regions) {
          expect(start).toBe(next);
          next = start + length;
          for (const at of [start, next - 1]) {
            expect(owner[at]).toBe(whose);
            expect(writeReach[at]).toBe(write);
            if (whose.kind === 'unassigned') expect([kernelMap[at], write]).toEqual([0xff, 'raw']);
          }
        }
        expect(next).toBe(size);
        const unassigned = owner.filter(({ kind }) => kind === 'unassigned').length;
        expect(layout.unassignedBytes('legacy') + layout.unassignedBytes('extended')).toBe(unassigned);
      }),
      { numRuns: 200 },
    );
  });
});
