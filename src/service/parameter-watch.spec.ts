import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { STOCK_HOST } from '../../test/fixtures/hosts.js';
import { NODE_INVENTORY, policyOf, risksOf } from '../../test/fixtures/scenario.js';
import type { DecisionBasis } from '../decision/decision.service.js';
import { AuditTrail } from '../host/vfio-parameters/audit-trail.js';
import { ParameterFiles } from '../host/vfio-parameters/parameter-files.js';
import { VfioParameters } from '../host/vfio-parameters/vfio-parameters.js';
import type { DomainRecord, EventRecord } from '../store/records.js';
import { ParameterWatch } from './parameter-watch.js';

const ENFORCED = policyOf(
  '{ name: all, mode: enforce, require: [unassigned-extended], mitigations: [kernel-parameters] }',
);
const BDF = '0000:01:00.0';

let root: string;
let parameters: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'parameter-watch-'));
  parameters = join(root, 'sys/module/vfio_pci_core/parameters');
  await mkdir(join(root, 'etc/modprobe.d'), { recursive: true });
  await mkdir(parameters, { recursive: true });
  await writeFile(join(parameters, 'block_pci_unassigned_write'), 'N\n');
  await writeFile(join(root, 'audit.log'), '');
});
afterEach(() => rm(root, { recursive: true }));

/** A host with the module, on whose files the real ports work; `basis` is what decisions start from. */
function host() {
  const sysfs = join(root, 'sys');
  const basis: DecisionBasis = {
    inventory: NODE_INVENTORY,
    host: STOCK_HOST,
    policy: ENFORCED,
    risks: risksOf(),
    hostMode: 'enforce',
  };
  const events: EventRecord[] = [];
  const blocked: string[] = [];
  const domain = { uuid: 'u1', name: 'vm1', active: true, devices: [BDF], decisionId: 'wd-1' };
  const sut = new ParameterWatch({
    parameters: new VfioParameters(
      new ParameterFiles({ root, sysfs, memoryFile: join(root, 'memory.json') }),
    ),
    trail: new AuditTrail({ kernelLog: join(root, 'none'), auditLog: join(root, 'audit.log') }),
    registry: { all: () => [domain as unknown as DomainRecord].values() },
    journal: { event: (event) => void events.push(event) },
    host: 'node-1',
    sysfs,
    basis: () => basis,
    onProbe: (kernelParameters) => void (basis.host = { ...basis.host, kernelParameters }),
    blocked: (device, accesses) => void blocked.push(`${device} ${accesses}`),
    log: { info: () => {}, warn: () => {}, error: () => {} },
    clock: () => new Date('2026-11-26T08:00:00Z'),
  });
  return { sut, basis, events, blocked, kinds: () => events.map(({ kind }) => kind) };
}

const live = () => readFile(join(parameters, 'block_pci_unassigned_write'), 'utf8');

describe('watching the parameters of vfio-pci', () => {
  it('sets them, and decisions can rely on them from then on', async () => {
    const { sut, basis, kinds } = host();
    await sut.look();
    expect(await live()).toBe('Y\n');
    expect(basis.host.kernelParameters).toMatchObject({ state: 'ready' });
    expect(kinds()).toEqual(['parameters-changed']);
    expect(sut.inForce).toEqual({ configured: true, live: true, verified: false });
  });

  it('puts right what somebody changed, and says so', async () => {
    const { sut, kinds } = host();
    await sut.look();
    await writeFile(join(parameters, 'block_pci_unassigned_write'), 'N\n');
    await sut.look();
    expect(await live()).toBe('Y\n');
    expect(kinds()).toEqual(['parameters-changed', 'parameters-drift']);
  });

  it('notices that the module was unloaded: decisions rely on it no more', async () => {
    const { sut, basis, events } = host();
    await sut.look();
    await rm(join(root, 'sys/module/vfio_pci_core'), { recursive: true });
    await sut.look();
    expect(events.at(-1)).toMatchObject({
      kind: 'parameters-drift',
      detail: 'the module with the parameters was unloaded, with them in force',
    });
    expect(basis.host.kernelParameters.state).toBe('absent');
    expect(sut.component.status()).toMatchObject({ state: 'degraded' });
  });

  it('gives them back when the switch of the host is turned off', async () => {
    const { sut, basis, kinds } = host();
    await sut.look();
    basis.hostMode = 'off';
    await sut.look();
    expect(await live()).toBe('N\n');
    expect(kinds()).toEqual(['parameters-changed', 'parameters-changed']);
    expect(sut.inForce).toBeUndefined();
  });

  it('a restart of the service leaves them in force all the time', async () => {
    await host().sut.look();
    const { sut, kinds } = host();
    await sut.look();
    expect(await live()).toBe('Y\n');
    expect(kinds()).toEqual([]);
  });

  it('says so where no audit record can be seen', async () => {
    await rm(join(root, 'audit.log'));
    const { sut } = host();
    await sut.look();
    expect(sut.status?.verified).toMatchObject({ state: 'not-seen' });
    expect(sut.status?.verified.detail).toContain(`audit.log (ENOENT) can be read`);
  });

  it('says verified once the kernel has told of a blocked access, and tells it in the history of the domain', async () => {
    const { sut, events, blocked } = host();
    await sut.look();
    expect(sut.status?.verified.state).toBe('not-seen');
    const record = (was: string) =>
      `type=UNKNOWN[1340] msg=audit(1795680000.000:1): device=${BDF} access=WRITE offset=0x298 size=1 blocked=${was}\n`;
    await appendFile(join(root, 'audit.log'), record('0') + record('1') + record('1'));
    await sut.look();
    expect(sut.status?.verified.state).toBe('seen');
    expect(blocked).toEqual([`${BDF} 2`]);
    expect(events.at(-1)).toMatchObject({ kind: 'access-blocked', domainName: 'vm1', decisionId: 'wd-1' });
  });
});
