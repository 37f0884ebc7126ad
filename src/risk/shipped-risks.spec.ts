import { readdir, readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import type { AssessedFunction, RiskDatabase } from './risk-database.js';
import { loadRisks, readRiskDirectory } from './risk-loader.js';

const DIRECTORY = 'policies/risks';

let risks: RiskDatabase;
beforeAll(async () => {
  risks = await readRiskDirectory(DIRECTORY);
});

const nvme: AssessedFunction = { vendor: 'ffff', device: '0001', class: '010802', kind: 'pf' };
const nfp: AssessedFunction = { vendor: '19ee', device: '4000', class: '020000', kind: 'pf' };

describe('the shipped database', () => {
  it('has the same revision however it is cut into files', async () => {
    const names = (await readdir(DIRECTORY)).filter((name) => name.endsWith('.yaml'));
    const files = await Promise.all(
      names.map(async (file) => ({ file, text: await readFile(`${DIRECTORY}/${file}`, 'utf8') })),
    );

    expect(loadRisks(files.toReversed()).revision).toBe(risks.revision);
  });

  it('warns of an NVMe device whose ids nobody knows by its class, as a physical function only', () => {
    expect(risks.assess(nvme).risks).toMatchObject([
      {
        exposure: 'unassigned-extended',
        risk: { effect: 'host-crash', knownBy: 'class', confidence: 'class-level' },
      },
      { exposure: 'unassigned-extended', risk: { effect: 'device-crash' } },
    ]);
    expect(risks.assess({ ...nvme, kind: 'vf' }).risks).toEqual([]);
  });

  it('knows the NFP by its ids, and that its capped config space handles it', () => {
    const lockup = {
      exposure: 'unassigned-extended',
      risk: { entry: 'nfp-config-lockup', knownBy: 'device' },
    };

    expect(risks.assess({ ...nfp, configSize: 4096 }).risks[0]).toMatchObject(lockup);
    expect(risks.assess({ ...nfp, configSize: 0x600 }).notices).toContainEqual(
      expect.objectContaining({
        reason: 'handled',
        risk: expect.objectContaining({ entry: 'nfp-config-lockup' }),
      }),
    );
  });

  it('restricts power management of NICs, and calls bare-metal SmartNICs out of reach', () => {
    const { risks: found, notices } = risks.assess({ ...nfp, vendor: 'ffff' });

    expect(found).toMatchObject([{ exposure: 'power-management', risk: { effect: 'host-crash' } }]);
    expect(notices).toMatchObject([{ reason: 'bare-metal', risk: { entry: 'talk-smartnic-bare-metal' } }]);
  });

  it('keeps the registers of tg3 reachable', () => {
    expect(risks.assess({ vendor: '14e4', device: '1659', class: '020000' }).needs).toMatchObject([
      { entry: 'tg3-private-registers', ranges: expect.arrayContaining([{ from: 0x78, to: 0x87 }]) },
    ]);
  });

  it('tells NVIDIA windows that QEMU traps from those that it does not', () => {
    const windows = (device: string, pciClass: string) =>
      risks
        .assess({ vendor: '10de', device, class: pciClass, kind: 'pf' })
        .risks.filter(({ exposure }) => exposure === 'config-mirror-in-bar')
        .map(({ trapped }) => trapped);

    expect(windows('2684', '030000')).toEqual([false, true]);
    expect(windows('2330', '030200')).toEqual([false]);
  });

  it('lets the kernel have its way with resets that it knows not to do', () => {
    const wifi = { vendor: '168c', device: '003e', class: '028000', kind: 'pf' } as const;

    expect(risks.assess({ ...wifi, resetMethods: ['pm'] }).risks).toEqual([]);
    expect(risks.assess({ ...wifi, resetMethods: ['pm', 'bus'] }).risks).toMatchObject([
      { exposure: 'reset', risk: { effect: 'host-crash', severity: 'critical' } },
    ]);
  });

  it('cites a source for every statement', () => {
    for (const { id, evidence } of risks.entries) {
      expect(
        evidence.every(({ reference }) => reference.length > 5),
        id,
      ).toBe(true);
    }
  });
});
