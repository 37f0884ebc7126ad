import { beforeEach, describe, expect, it } from 'vitest';
import { DomainRegistry } from '../libvirt/domain-registry.js';
import { FunctionRelease } from './function-release.js';

const NVME = '0000:01:00.0';
const NIC = '0000:02:00.0';

let registry: DomainRegistry;
let released: string[];
let armed: string[];
let sut: FunctionRelease;

beforeEach(() => {
  registry = new DomainRegistry('node1', { domain: () => {}, domainGone: () => {} } as never);
  released = [];
  armed = [];
  sut = new FunctionRelease({
    registry,
    arming: {
      now: 3,
      functionsOf: () => armed,
      release: (uuid, devices, asOf) => void released.push(`${uuid} ${devices.join(' ')} ${asOf}`),
    },
    log: { warn: () => {} },
  });
  registry.change('u1', 'vm1', { active: true, devices: [NVME, NIC] });
});

/** What the reconciler does at an event: what the domain had, then its record as libvirt has it now, then the rest. */
function look(active: boolean, devices: string[]): void {
  const had = sut.functionsOf('u1');
  registry.change('u1', 'vm1', { active, devices });
  sut.settle('u1', had, active ? devices : undefined, sut.now);
}

describe('functions that a domain gives up', () => {
  it('are released when it has stopped, although its definition still names them', () => {
    sut.stopped('u1');
    registry.change('u1', 'vm1', { active: false });
    look(false, [NVME, NIC]);
    expect(released).toEqual([`u1 ${NVME} ${NIC} 3`]);
  });

  it('are released once', () => {
    look(false, [NVME, NIC]);
    look(false, [NVME, NIC]);
    expect(released).toHaveLength(1);
  });

  it('are released one by one where a device is detached', () => {
    look(true, [NVME]);
    expect(released).toEqual([`u1 ${NIC} 3`]);
  });

  it('stay where it has been started again by the time that it is looked at', () => {
    sut.stopped('u1');
    registry.change('u1', 'vm1', { active: false });
    look(true, [NVME, NIC]);
    expect(released).toEqual([]);
  });

  it('are released where it stopped while its start was still being looked at', () => {
    const had = sut.functionsOf('u1');
    registry.change('u1', 'vm1', { active: true, devices: [NVME, NIC] });
    sut.stopped('u1');
    registry.change('u1', 'vm1', { active: false });
    // Libvirt had said before that it runs.
    sut.settle('u1', had, [NVME, NIC], 3);
    expect(released).toEqual([]);
    look(false, [NVME, NIC]);
    expect(released).toEqual([`u1 ${NVME} ${NIC} 3`]);
  });

  it('are released where they were armed for a start that failed', () => {
    look(false, []);
    armed = [NVME];
    look(false, [NVME]);
    expect(released.at(-1)).toBe(`u1 ${NVME} 3`);
  });

  it('stay where one is armed that is about to be attached', () => {
    armed = ['0000:03:00.0'];
    look(true, [NVME, NIC]);
    expect(released).toEqual([]);
  });

  it('stay where another domain runs with them now', () => {
    registry.change('u2', 'vm2', { active: true, devices: [NVME] });
    look(false, [NVME, NIC]);
    expect(released).toEqual([`u1 ${NIC} 3`]);
  });

  it('are none of a domain that did not run', () => {
    registry.change('u3', 'vm3', { active: false, devices: [NVME] });
    expect(sut.functionsOf('u3')).toEqual([]);
  });
});
