import { describe, expect, it } from 'vitest';
import { controllerOfBus, isConventionalBus, type PciController } from './pci-topology.js';

const on = (bus: number) => ({ domain: 0, bus, slot: 1, function: 0 });

const Q35: PciController[] = [
  { index: 0, model: 'pcie-root' },
  { index: 1, model: 'pcie-root-port', address: on(0) },
  { index: 2, model: 'pcie-to-pci-bridge', address: on(1) },
  { index: 3, model: 'pci-bridge', address: on(2) },
];

describe('isConventionalBus', () => {
  it('says no for PCI Express buses', () => {
    expect(isConventionalBus(Q35, 0)).toBe(false);
    expect(isConventionalBus(Q35, 1)).toBe(false);
  });

  it('says yes for a bridge to conventional PCI and for what lies below it', () => {
    expect(isConventionalBus(Q35, 2)).toBe(true);
    expect(isConventionalBus(Q35, 3)).toBe(true);
  });

  it('says yes for the root of i440fx', () => {
    expect(isConventionalBus([{ index: 0, model: 'pci-root' }], 0)).toBe(true);
  });

  it('follows the parents of a controller that is not a bridge itself', () => {
    expect(isConventionalBus([...Q35, { index: 4, model: 'pcie-root-port', address: on(2) }], 4)).toBe(true);
  });

  it('does not run in circles on a document that plugs a controller into itself', () => {
    expect(isConventionalBus([{ index: 1, model: 'pcie-root-port', address: on(1) }], 1)).toBe(false);
  });
});

describe('controllerOfBus', () => {
  it('finds the controller that provides a bus', () => {
    expect(controllerOfBus(Q35, 2)?.model).toBe('pcie-to-pci-bridge');
    expect(controllerOfBus(Q35, 9)).toBeUndefined();
  });
});
