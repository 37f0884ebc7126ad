import { describe, expect, it } from 'vitest';
import { TYPICAL_NODE } from '../../test/fixtures/inventory/typical-node.js';
import { parseBdf } from './bdf.js';
import { Inventory } from './inventory.js';

const node = TYPICAL_NODE.inventory;
const bdf = (text: string) => parseBdf(text)!;
const addresses = (functions: { bdf: string }[]) => functions.map((fn) => fn.bdf);

describe('an inventory', () => {
  it('finds a function by its address', () => {
    expect(node.get(bdf('65:00.0'))).toMatchObject({ vendor: '10de', device: '2330' });
    expect(node.get(bdf('65:00.1'))).toBeUndefined();
  });

  it('finds what belongs together: slot, IOMMU group, virtual functions', () => {
    expect(addresses(node.functionsOfSlot(bdf('af:00.1')))).toEqual(['0000:af:00.0', '0000:af:00.1']);
    expect(addresses(node.iommuGroup(50))).toEqual(['0000:af:00.0', '0000:af:00.1']);
    expect(addresses(node.virtualFunctionsOf(bdf('3b:00.0')))).toEqual(['0000:3b:02.0', '0000:3b:02.1']);
    expect(node.virtualFunctionsOf(bdf('81:00.0'))).toEqual([]);
  });

  it('refuses two functions of one address', () => {
    const [first] = node.functions;

    expect(() => Inventory.of([first!, first!])).toThrow('0000:00:00.0: the function is listed twice');
  });

  it('does not change with what it was made of', () => {
    const fn = { ...node.get(bdf('81:00.0'))! };
    fn.configSpace = fn.configSpace!.slice();
    const inventory = Inventory.of([fn]);

    fn.driver = 'nvme';
    fn.configSpace[0x40] = 0x99;

    expect(inventory.get(fn.bdf)).toEqual(node.get(fn.bdf));
    expect(() => Object.assign(inventory.get(fn.bdf)!, { driver: 'nvme' })).toThrow(TypeError);
  });
});

describe('the revision of an inventory', () => {
  it('is the same for the same functions in another order', () => {
    expect(Inventory.of(node.functions.toReversed()).revision).toBe(node.revision);
    expect(node.revision).toMatch(/^[0-9a-f]{64}$/);
  });

  it.each([
    ['the driver', { driver: 'nvme' }],
    ['an absent group', { iommuGroup: undefined }],
    ['one bit of config space', { configSpace: flipped(node.get(bdf('81:00.0'))!.configSpace!) }],
  ])('changes with %s', (_, change) => {
    const changed = node.functions.map((fn) => (fn.bdf === '0000:81:00.0' ? { ...fn, ...change } : fn));

    expect(Inventory.of(changed).revision).not.toBe(node.revision);
  });
});

function flipped(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  copy[4095]! ^= 1;
  return copy;
}
