import * as fc from 'fast-check';
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { TYPICAL_NODE } from '../../test/fixtures/inventory/typical-node.js';
import { parseBdf } from './bdf.js';
import { describeFunction } from './describe-function.js';
import { PciIds } from './pci-ids.js';
import { PCI_IDS_PATHS, readPciIds } from './pci-ids-file.js';

const IDS = new PciIds(`# A comment
10de  NVIDIA Corporation
# and one inside
\t2204  GA102 [GeForce RTX 3090]
\t\t1043 87d9  ROG Strix
\t2330  GH100[H100 SXM5 80GB]
144d  Samsung Electronics Co Ltd
\ta80a  NVMe SSD Controller PM9A3

C 01  Mass storage controller
\t08  Non-Volatile memory controller
\t\t02  NVM Express
C 03  Display controller
\t02  3D controller
`);

describe('names of PCI devices', () => {
  it('are found by ids', () => {
    expect(IDS.vendor('144d')).toBe('Samsung Electronics Co Ltd');
    expect(IDS.device('10de', '2330')).toBe('GH100[H100 SXM5 80GB]');
    expect(IDS.subsystem('10de', '2204', '1043', '87d9')).toBe('ROG Strix');
  });

  it('are the most specific that the file has for a class', () => {
    expect(IDS.className('010802')).toBe('NVM Express');
    expect(IDS.className('030200')).toBe('3D controller');
    expect(IDS.className('038000')).toBe('Display controller');
    expect(IDS.className('ff0000')).toBeUndefined();
  });

  it('are not taken from another vendor, device or class', () => {
    expect(IDS.device('10de', 'a80a')).toBeUndefined();
    expect(IDS.subsystem('10de', '2330', '1043', '87d9')).toBeUndefined();
    expect(IDS.vendor('2204')).toBeUndefined();
    expect(IDS.vendor('C 01')).toBe('Mass storage controller');
  });

  it('cannot carry control characters to a terminal', () => {
    expect(new PciIds('10de  NV\x1b[31mIDIA\r\n').vendor('10de')).toBe('NV [31mIDIA');
  });

  it('are looked up in any text without harm', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(new PciIds(`${text}\n10de  NVIDIA\n\t2330  H100\n`).device('10de', '2330')).toBe('H100');
      }),
    );
  });
});

describe('the pci.ids file', () => {
  it('may be absent', async () => {
    const none = await readPciIds(['/nowhere/pci.ids']);

    expect(none.vendor('10de')).toBeUndefined();
  });

  it.runIf(PCI_IDS_PATHS.some((path) => existsSync(path)))('of this machine knows NVMe', async () => {
    const ids = await readPciIds();

    expect(ids.className('010802')).toBe('NVM Express');
    expect(ids.device('144d', 'a80a')).toMatch(/^NVMe SSD Controller/);
  });
});

describe('one line for a function', () => {
  const describeAt = (bdf: string, names: PciIds) =>
    describeFunction(TYPICAL_NODE.inventory.get(parseBdf(bdf)!)!, names);

  it('has its names, ids, class, driver and group', () => {
    expect(describeAt('0000:65:00.0', IDS)).toBe(
      '0000:65:00.0 NVIDIA Corporation GH100[H100 SXM5 80GB] [10de:2330] class 0302, driver vfio-pci, group 30',
    );
  });

  it('does without names, and says whose virtual function it is', () => {
    expect(describeAt('0000:3b:02.1', new PciIds(''))).toBe(
      '0000:3b:02.1 [8086:1889] class 0200, virtual function of 0000:3b:00.0, driver vfio-pci, group 22',
    );
  });
});
