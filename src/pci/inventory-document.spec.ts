import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TYPICAL_NODE } from '../../test/fixtures/inventory/typical-node.js';
import { LocatedError } from '../located-error.js';
import { formatBdf } from './bdf.js';
import { Inventory } from './inventory.js';
import { formatInventory, parseInventory } from './inventory-document.js';
import type { PciFunction } from './pci-function.js';

type Json = Record<string, unknown>;
type Change = (document: Json, first: Json, second: Json) => unknown;

/** A valid document of two functions, spoilt. */
function documentWith(change: Change): string {
  const document = JSON.parse(formatInventory(TYPICAL_NODE));
  document.functions = document.functions.slice(0, 2);
  change(document, document.functions[0], document.functions[1]);
  return JSON.stringify(document);
}

const digits = (count: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${count}}$`));
const anyFunction: fc.Arbitrary<PciFunction> = fc.record(
  {
    bdf: fc
      .record({
        domain: fc.nat(0xffffffff),
        bus: fc.nat(255),
        slot: fc.nat(31),
        function: fc.nat(7),
      })
      .map(formatBdf),
    vendor: digits(4),
    device: digits(4),
    revision: digits(2),
    class: digits(6),
    kind: fc.constantFrom('pf', 'vf'),
    resetMethods: fc.subarray(['flr', 'pm', 'bus', 'af_flr', 'device_specific']),
    driver: fc.constantFrom('vfio-pci', 'nvme'),
    iommuGroup: fc.nat(1000),
    express: fc.boolean(),
    configSpace: fc.uint8Array({ minLength: 64, maxLength: 256 }),
  },
  { requiredKeys: ['bdf', 'vendor', 'device', 'revision', 'class', 'kind', 'resetMethods'] },
);

describe('an inventory document', () => {
  it('gives back what was written', () => {
    const read = parseInventory(formatInventory(TYPICAL_NODE), 'node.json');

    expect(read).toEqual(TYPICAL_NODE);
    expect(read.inventory.revision).toBe(TYPICAL_NODE.inventory.revision);
  });

  it('gives back any inventory, and is written the same again', () => {
    fc.assert(
      fc.property(fc.uniqueArray(anyFunction, { selector: (fn) => fn.bdf, maxLength: 5 }), (functions) => {
        const document = { takenAt: '2026-01-31T12:00:00.123Z', inventory: Inventory.of(functions) };
        const text = formatInventory(document);
        const read = parseInventory(text, 'any.json');
        expect(read.inventory.functions).toEqual(document.inventory.functions);
        expect(formatInventory(read)).toBe(text);
      }),
      { numRuns: 50 },
    );
  });

  it.each<[string, Change, string]>([
    ['another version', (d) => (d.apiVersion = 'v2'), 'apiVersion: must be vfio-warden.dev/v1'],
    ['another kind', (d) => (d.kind = 'Policy'), 'kind: must be Inventory'],
    ['no time', (d) => delete d.takenAt, 'takenAt: must be a UTC time'],
    ['a host that is none', (d) => (d.host = null), 'host: must be a host name'],
    ['an unknown field', (d) => (d.note = 'x'), 'note: is not a known field'],
    ['no list', (d) => (d.functions = {}), 'functions: must be a list'],
    ['a list in the list', (d, a, b) => (d.functions = [a, [b]]), 'functions[1]: must be an object'],
    [
      'a vendor in capitals',
      (_, __, b) => (b.vendor = '10DE'),
      'functions[1].vendor: must be 4 lower-case hexadecimal digits',
    ],
    ['a number for an id', (_, a) => (a.device = 1234), 'functions[0].device: must be 4'],
    ['a missing class', (_, a) => delete a.class, 'functions[0].class: must be 6'],
    ['no driver but null', (_, a) => (a.driver = null), 'functions[0].driver: must be the name'],
    ['a slot over 1f', (_, a) => (a.bdf = '0000:00:20.0'), 'functions[0].bdf: must be a PCI'],
    ['a padded domain', (_, a) => (a.bdf = '00000:00:02.1'), 'functions[0].bdf: must be written as sysfs'],
    ['a function twice', (_, a, b) => (b.bdf = a.bdf), 'functions[1].bdf: repeats functions[0].bdf'],
    [
      'an owner of a physical function',
      (_, a) => (a.physicalFunction = '0000:3b:00.0'),
      'functions[0].physicalFunction: is only for a virtual function',
    ],
    [
      'half a subsystem',
      (_, __, b) => delete b.subsystemDevice,
      'functions[1].subsystemVendor: comes only together',
    ],
    ['a group of half', (_, a) => (a.iommuGroup = 0.5), 'functions[0].iommuGroup: must be a whole'],
    ['methods in a list', (_, a) => (a.resetMethods = [['flr']]), 'functions[0].resetMethods: must'],
    ['an unknown field inside', (_, __, b) => (b.name = 'gpu'), 'functions[1].name: is not a known field'],
    [
      'config space that is no base64',
      (_, a) => (a.configSpace = '%%%%'),
      'functions[0].configSpace: is not base64',
    ],
    [
      'more config space than there is',
      (_, a) => (a.configSpace = Buffer.alloc(257).toString('base64')),
      'functions[0].configSpace: has 257 bytes, not 64 to 256',
    ],
    [
      'far too much config space',
      (_, a) => (a.configSpace = Buffer.alloc(5000).toString('base64')),
      'functions[0].configSpace: must be at most 4096 bytes',
    ],
  ])('is refused with %s, by name and path', (_, change, message) => {
    expect(() => parseInventory(documentWith(change), 'node.json')).toThrow(`node.json: ${message}`);
  });

  it.each([
    ['what is no JSON', '{', 'it is not JSON'],
    ['what is no object', '[]', 'it is not a JSON object'],
    [
      'more functions than a PCI domain has',
      `{"functions":[${'{},'.repeat(65_536)}{}]}`,
      'functions: must have at most 65536 entries',
    ],
  ])('is refused for %s', (_, text, message) => {
    expect(() => parseInventory(text, 'node.json')).toThrow(message);
  });

  it('is refused, and does not end the process, when it is nested absurdly deep', () => {
    const deep = '['.repeat(200_000) + ']'.repeat(200_000);

    expect(() => parseInventory(`{"functions":[],"deep":${deep}}`, 'node.json')).toThrow(LocatedError);
  });

  it('cannot smuggle in a prototype', () => {
    const text = documentWith(() => {}).replace('"apiVersion"', '"__proto__":{"polluted":true},"apiVersion"');
    let read: unknown;
    try {
      read = parseInventory(text, 'node.json');
    } catch {
      // Refusing it is as good.
    }
    expect(read).not.toHaveProperty('polluted');
    expect({}).not.toHaveProperty('polluted');
  });
});
