import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LocatedError } from '../../located-error.js';
import type { Bdf } from '../../pci/bdf.js';
import {
  advancedErrorReporting,
  buildConfigSpace,
  gpuConfigSpace,
  l1PmSubstates,
  nicConfigSpace,
  nvmeConfigSpace,
  pciExpress,
  powerManagement,
  vendorSpecific,
  vendorSpecificExtended,
  vpd,
} from '../../pci/config-space/config-space-builder.js';
import { layoutOf } from '../../pci/config-space/layout.js';
import { EXPOSURE_NAMES, type Exposure } from '../../risk/exposure.js';
import {
  EFFECTS,
  REFUSABLE_IOCTLS,
  STANDARD_RULES,
  type AccessRule,
  type AccessRules,
  type Direction,
} from './access-rules.js';
import { judgeAccess, type DeviceAccess } from './judge-access.js';
import { parseRules } from './parse-rules.js';
import { planAccessRules, type RuleRequest } from './plan-access-rules.js';
import { renderPreloadRules, renderRules } from './render-rules.js';

const device = layoutOf(
  buildConfigSpace({
    standard: [powerManagement(0x40), pciExpress(0x60), vpd(0xa0), vendorSpecific(0x10, 0xb0)],
    extended: [advancedErrorReporting(0x100), vendorSpecificExtended(0x20, 0x148), l1PmSubstates(0x200)],
  }),
);

const plan = (closes: Exposure[], more: Partial<RuleRequest> = {}) =>
  planAccessRules({ layout: device, closes, exempt: [], mirrors: [], ...more });
const text = (closes: Exposure[], more: Partial<RuleRequest> = {}) => renderRules(plan(closes, more).rules);

const write = (offset: number, ...data: number[]): DeviceAccess => ({
  direction: 'write',
  region: 'cfg',
  offset,
  size: data.length,
  data: Uint8Array.from(data),
});
const read = (offset: number, size: number): DeviceAccess => ({
  direction: 'read',
  region: 'cfg',
  offset,
  size,
});

describe('rules for what a plan closes', () => {
  it.each<[Exposure[], string]>([
    [[], 'unassigned:rw:allow'],
    [['unassigned-extended', 'unassigned-legacy'], 'unassigned:w:block;unassigned:r:allow'],
    [['unassigned-extended'], 'unassigned:w:block;unassigned:r:allow;cfg:0-ff:w:allow'],
    [['unassigned-legacy'], 'unassigned:w:block;unassigned:r:allow;cfg:100-fff:w:allow'],
    [['power-management'], 'unassigned:rw:allow;cfg:44-47:w:block;ioctl:low-power:block'],
    [['aer-registers'], 'unassigned:rw:allow;cfg:104-11b:w:block'],
    [['vpd-write'], 'unassigned:rw:allow;cfg:a3:w:block:80=80'],
    [['reset'], 'unassigned:rw:allow;cfg:69:w:block:80=80;cfg:44:w:block:03=03;ioctl:reset:block'],
    [['vendor-capability'], 'unassigned:rw:allow;cfg:b0-bf:w:block;cfg:148-167:w:block'],
    [['hidden-capability'], 'unassigned:rw:allow;cfg:200-20f:w:block'],
  ])('%j: %s', (closes, expected) => {
    expect(text(closes)).toBe(expected);
  });

  it('leave a driver what it needs of unassigned bytes, but not the registers that are closed', () => {
    const { rules } = plan(['unassigned-legacy', 'power-management'], {
      exempt: [{ from: 0x40, to: 0xfff }],
    });
    expect(judgeAccess(rules, device, write(0x800, 1))).toBe('allow');
    expect(judgeAccess(rules, device, write(0x44, 1))).toBe('block');
  });

  it('close the window of a BAR and the short cut around it, but for what the driver needs', () => {
    const mirrors = [{ bar: 0, offset: 0x88000, size: 0x1000 }];
    expect(text(['config-mirror-in-bar'], { mirrors, exempt: [{ from: 0x704, to: 0x707 }] })).toBe(
      'unassigned:rw:allow;cfg:704-707:rw:allow;bar0:88000-88fff:w:block;bar0:88704-88707:rw:allow;ioctl:ioeventfd:block',
    );
  });

  it('say which exposures stay open when config space could not be read', () => {
    expect(plan([...EXPOSURE_NAMES], { layout: undefined }).unplaced).toEqual([
      'vendor-capability',
      'power-management',
      'aer-registers',
      'vpd-write',
      'reset',
    ]);
    const header = layoutOf(nvmeConfigSpace().slice(0, 64), { configSize: 4096 });
    expect(plan(['reset'], { layout: header }).unplaced).toEqual(['reset']);
    const legacy = layoutOf(nvmeConfigSpace().slice(0, 256), { configSize: 4096 });
    expect(plan(['reset', 'aer-registers'], { layout: legacy }).unplaced).toEqual(['aer-registers']);
  });

  it('cover a hidden capability of unknown length as far as it can reach', () => {
    const layout = layoutOf(nvmeConfigSpace()); // Secondary PCI Express at 0x168, LTR at 0x188
    expect(text(['hidden-capability'], { layout })).toBe(
      'unassigned:rw:allow;cfg:168-187:w:block;cfg:190-19f:w:block',
    );
  });
});

describe('an access', () => {
  const judge = (rules: string, access: DeviceAccess) => judgeAccess(parseRules(rules), device, access);

  it('to an unassigned byte is blocked by its direction', () => {
    expect(judge('unassigned:w:block', write(0x800, 1))).toBe('block');
    expect(judge('unassigned:w:block', read(0x800, 4))).toBe('allow');
    expect(judge('unassigned:r:block', read(0x800, 4))).toBe('block');
    expect(judge('unassigned:w:block', write(0x04, 1, 2))).toBe('allow');
  });

  it('is blocked whole by one byte', () => {
    expect(judge('unassigned:w:block', write(0xbc, 0, 0, 0, 0))).toBe('allow');
    expect(judge('unassigned:w:block', write(0xbe, 0, 0, 0, 0))).toBe('block');
  });

  it('meets a condition only where the written bits say so', () => {
    const flr = 'cfg:69:w:block:80=80';
    expect(judge(flr, write(0x68, 0x00, 0x80))).toBe('block');
    expect(judge(flr, write(0x68, 0x80, 0x10))).toBe('allow');
    expect(judge(flr, read(0x68, 2))).toBe('allow');
  });

  it('is decided by the last rule on each byte', () => {
    const hole = 'cfg:800-8ff:w:block;cfg:820-82f:w:allow';
    expect(judge(hole, write(0x820, 1))).toBe('allow');
    expect(judge(hole, write(0x82f, 1, 1))).toBe('block');
    expect(judge('bar0:0-fff:w:block;bar0:10-1f:w:allow', { ...write(0x10, 1), region: 'bar0' })).toBe(
      'allow',
    );
    expect(judge('bar0:0-fff:w:block;bar0:10-1f:w:allow', { ...write(0x1f, 1, 1), region: 'bar0' })).toBe(
      'block',
    );
  });

  it('that is too long to judge is blocked if it writes, and passes if it reads', () => {
    expect(judge('unassigned:rw:allow', write(0, ...Array(9).fill(0)))).toBe('block');
    expect(judge('unassigned:rw:block', read(0, 4096))).toBe('allow');
  });
});

describe('the text', () => {
  it.each([
    ['', 'statement 1, column 1: it begins with ""'],
    ['unassigned:w:block;', 'statement 2, column 20: it begins with ""'],
    ['unassigned:x:block', 'statement 1, column 1: "x" is no direction'],
    ['cfg:0-1000:w:block', '0-1000 ends behind fff'],
    ['cfg:9-8:w:block', '9-8 ends before it begins'],
    ['cfg:0x9:w:block', '"0x9" is no range'],
    ['cfg:9:w', 'it is not complete'],
    ['cfg:9:rw:block:80=80', 'a read writes no bits'],
    ['bar1:9:w:block:80=80', 'only a rule on cfg has a condition'],
    ['cfg:9:w:block:0=0', 'the mask 0 looks at no bit'],
    ['cfg:9:w:block:1=2', '1=2 can never hold'],
    ['cfg:0-20:w:block:1=1', 'rules with a condition cover more than 32 bytes'],
    ['bar6:0:w:block', 'it begins with "bar6"'],
    ['ioctl:reset:allow', 'a request is only blocked'],
    ['ioctl:mmap:block', '"mmap" is no request'],
  ])('%s is refused: %s', (rules, problem) => {
    expect(() => parseRules(rules)).toThrow(LocatedError);
    expect(() => parseRules(rules)).toThrow(problem);
  });

  it('has bounds that every carrier can hold', () => {
    const times = (count: number, statement: string) => Array<string>(count).fill(statement).join(';');
    expect(() => parseRules(times(513, 'cfg:9:w:block'))).toThrow('there are more than 512 rules');
    expect(() => parseRules(times(17, 'bar0:9:w:block'))).toThrow('more than 16 rules are about BARs');
    expect(() => parseRules('c'.repeat(16_385))).toThrow('the rules have 16385 characters');
  });

  it('reads back as the same rules, whatever they are', () => {
    fc.assert(
      fc.property(anyRules, (rules) => {
        expect(parseRules(renderRules(rules))).toEqual(rules);
      }),
    );
  });

  it('judges alike when a library gets the unassigned bytes as ranges', () => {
    const layouts = [
      device,
      ...[nvmeConfigSpace(), gpuConfigSpace(), nicConfigSpace()].map((at) => layoutOf(at)),
    ];
    fc.assert(
      fc.property(anyRules, fc.constantFrom(...layouts), anyAccess, (rules, layout, access) => {
        const preload = parseRules(renderPreloadRules(rules, layout, '0000:01:00.0' as Bdf));
        const blind = { ...layout, kernelMap: new Uint8Array(layout.size) };
        expect(judgeAccess(preload, blind, access)).toBe(judgeAccess(rules, layout, access));
      }),
    );
  });

  it('cannot be made for a library where config space is not known', () => {
    const bdf = '0000:01:00.0' as Bdf;
    expect(() => renderPreloadRules(STANDARD_RULES, undefined, bdf)).toThrow(`${bdf}: the unassigned bytes`);
  });
});

describe('an access under any rules', () => {
  it('is judged as its bytes are, one by one', () => {
    fc.assert(
      fc.property(anyRules, anyAccess, (rules, access) => {
        const bytes = Array.from({ length: access.size }, (_, i) =>
          judgeAccess(rules, device, {
            ...access,
            offset: access.offset + i,
            size: 1,
            ...(access.data && { data: access.data.slice(i, i + 1) }),
          }),
        );
        const whole = access.region !== 'cfg' || access.offset + access.size <= 4096;
        fc.pre(whole);
        expect(judgeAccess(rules, device, access)).toBe(bytes.includes('block') ? 'block' : 'allow');
      }),
    );
  });
});

const anyDirections = fc.constantFrom<readonly Direction[]>(['read'], ['write'], ['read', 'write']);

const anyRule: fc.Arbitrary<AccessRule> = fc
  .record({
    region: fc.constantFrom('cfg', 'cfg', 'cfg', 'bar0', 'bar5'),
    from: fc.nat(0xfff),
    length: fc.oneof(fc.nat(8), fc.nat(0xfff)),
    directions: anyDirections,
    effect: fc.constantFrom(...EFFECTS),
    mask: fc.nat(0xff),
    value: fc.nat(0xff),
  })
  .map(({ length, mask, value, ...rule }) => {
    const to = Math.min(rule.from + length, 0xfff);
    const may = rule.region === 'cfg' && !rule.directions.includes('read') && to - rule.from < 3 && mask > 0;
    return { ...rule, to, ...(may && { when: { mask, value: value & mask } }) } as AccessRule;
  });

const anyRules: fc.Arbitrary<AccessRules> = fc.record({
  unassigned: fc.record({ read: fc.constantFrom(...EFFECTS), write: fc.constantFrom(...EFFECTS) }),
  rules: fc.array(anyRule, { maxLength: 10 }),
  ioctls: fc.subarray([...REFUSABLE_IOCTLS]),
});

const anyAccess: fc.Arbitrary<DeviceAccess> = fc
  .record({
    direction: fc.constantFrom<Direction>('read', 'write'),
    region: fc.constantFrom<AccessRule['region']>('cfg', 'cfg', 'bar0', 'bar5'),
    offset: fc.nat(0xfff),
    data: fc.uint8Array({ minLength: 1, maxLength: 8 }),
  })
  .map(({ data, ...access }) => ({
    ...access,
    size: data.length,
    ...(access.direction === 'write' && { data }),
  }));
