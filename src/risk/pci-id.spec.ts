import { describe, expect, it } from 'vitest';
import { parsePciId } from './pci-id.js';

describe('ids as an operator types them', () => {
  it.each([
    ['10de:2330', { vendor: '10de', device: '2330' }],
    ['10DE:2330', { vendor: '10de', device: '2330' }],
    ['[10de:2330]', { vendor: '10de', device: '2330' }],
    ['10de:2330:0302', { vendor: '10de', device: '2330', class: '0302' }],
    [
      '10de:2330:10de:16c1',
      { vendor: '10de', device: '2330', subsystemVendor: '10de', subsystemDevice: '16c1' },
    ],
    [
      '10de:2330:10de:16c1:030200',
      { vendor: '10de', device: '2330', subsystemVendor: '10de', subsystemDevice: '16c1', class: '030200' },
    ],
  ])('reads %s', (text, identity) => {
    expect(parsePciId(text)).toEqual(identity);
  });

  it.each(['', '10de', '10de:*', '0x10de:0x2330', '10de:2330:030', '0000:65:00.0'])(
    'refuses "%s"',
    (text) => {
      expect(() => parsePciId(text)).toThrow(/these are no PCI ids\. Write VENDOR:DEVICE/);
    },
  );
});
