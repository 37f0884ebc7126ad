import { createServer } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { HookEndpoint } from '../../src/libvirt/hook/hook-endpoint.js';
import { hostdev } from '../fixtures/scenario.js';
import { HOOK, HookHost } from './hook-host.js';
import { judgingService, OR_DENY, type Given } from './judging-service.js';

const NVME = hostdev('0000:81:00.0');
const BRIDGED =
  "<controller type='pci' index='1' model='pcie-root-port'/><controller type='pci' index='2' model='pcie-to-pci-bridge'/>" +
  hostdev('0000:81:00.0', "<address type='pci' domain='0' bus='2' slot='1' function='0'/>");
const FROM_NETWORK = "<interface type='network'><source network='functions'/></interface>";
const NETWORK = `<network><name>functions</name><forward mode='hostdev' managed='yes'>
  <address type='pci' domain='0' bus='0x3b' slot='2' function='1'/></forward></network>`;

let host: HookHost;
let endpoint: HookEndpoint | undefined;

beforeAll(async () => {
  host = await HookHost.withLibvirtd();
}, 60_000);
afterAll(() => host.stop());
afterEach(async () => {
  await endpoint?.stop();
  endpoint = undefined;
  await host.run('sh', ['-c', 'for vm in $(virsh list --name); do virsh destroy "$vm"; done']);
}, 60_000);

function domain(devices: string, name = 'vm'): string {
  return `<domain type='qemu'><name>${name}</name><memory unit='MiB'>32</memory>
    <os><type arch='x86_64' machine='q35'>hvm</type></os><devices>${devices}</devices></domain>`;
}

async function serving(given?: Given): Promise<ReturnType<typeof judgingService>> {
  const judging = judgingService(given);
  endpoint = new HookEndpoint(judging.service, host.socket);
  await endpoint.start();
  return judging;
}

async function create(devices: string, name = 'vm') {
  await host.write(`${host.directory}/${name}.xml`, domain(devices, name));
  return host.virsh('create', `${host.directory}/${name}.xml`);
}

describe('a domain that went around the proxy', () => {
  it('is stopped, and the client reads why and which decision it was', async () => {
    await host.configure({});
    const { records, events } = await serving();
    const { status, stderr } = await create(NVME);
    expect(status).toBe(1);
    expect(stderr).toContain('Hook script execution failed');
    expect(stderr).toContain(`wardenctl explain ${records[0]!.decision.id}`);
    expect(stderr).toContain('0000:81:00.0 needs conventional-bus');
    expect(events.map(({ kind }) => kind)).toEqual(['vetoed']);
  });

  it('has the error code for a hook that failed', async () => {
    await serving();
    const code = `import libvirt
try: libvirt.open('qemu:///system').createXML(open('${host.directory}/vm.xml').read())
except libvirt.libvirtError as error: print(error.get_error_code(), error.get_error_domain())`;
    await host.write(`${host.directory}/vm.xml`, domain(NVME));
    expect((await host.run('/usr/bin/python3', ['-c', code])).stdout).toBe('70 34\n');
  });

  it('starts and is recorded where the hook fails open', async () => {
    const { events } = await serving({ options: { failure: 'open' } });
    expect(await create(NVME)).toMatchObject({ status: 0 });
    expect(events.map(({ kind }) => kind)).toEqual(['started-unprotected']);
  });
});

it('a domain with what policy asks for starts', async () => {
  const { records, events } = await serving();
  expect(await create(BRIDGED)).toMatchObject({ status: 0 });
  expect(records.map(({ occasion }) => occasion.operation)).toEqual(['prepare', 'start']);
  expect(events).toEqual([]);
});

it('a domain that policy refuses does not start', async () => {
  await serving({ rule: OR_DENY, past: { state: 'has-run', ranRestricted: [] } });
  expect((await create(NVME)).stderr).toContain('policy refuses this domain');
});

it('a function that libvirt takes from a network is judged once libvirt has taken it', async () => {
  const { events } = await serving();
  await host.write(`${host.directory}/network.xml`, NETWORK);
  await host.virsh('net-create', `${host.directory}/network.xml`);
  const { status, stderr } = await create(FROM_NETWORK);
  expect(status).toBe(1);
  expect(stderr).toContain('0000:3b:02.1 needs conventional-bus');
  expect(events.map(({ kind }) => kind)).toEqual(['vetoed']);
  await host.virsh('net-destroy', 'functions');
});

describe('with the service dead', () => {
  it('a domain without assigned devices starts', async () => {
    expect(await create('')).toMatchObject({ status: 0 });
  });

  it('a domain with one does not, or does, as the host says', async () => {
    await host.configure({ FAILURE: 'closed' });
    expect((await create(NVME)).stderr).toContain('no decision about this domain with assigned devices');
    await host.configure({ FAILURE: 'open' });
    expect(await create(NVME)).toMatchObject({ status: 0 });
  });

  it('one that runs lives through a restart of libvirt', async () => {
    await host.configure({ FAILURE: 'open' });
    await create(NVME);
    await host.configure({ FAILURE: 'closed' });
    await host.run('sh', [
      '-c',
      'kill "$(cat /run/libvirt/libvirtd.pid)"; while [ -e /run/libvirt/libvirtd.pid ]; do sleep 0.1; done; /run/libvirt/start-libvirtd',
    ]);
    expect((await host.virsh('domstate', 'vm')).stdout.trim()).toBe('running');
  });

  it('and its socket open, a start takes two seconds longer at most', async () => {
    const silent = createServer((socket) => socket.on('error', () => {}).resume());
    await new Promise<void>((resolve) => silent.listen(host.socket, resolve));
    const { status, milliseconds } = await create(NVME);
    silent.close();
    expect(status).toBe(1);
    expect(milliseconds).toBeLessThan(4000);
  });
});

it('domains that start at once are each judged', async () => {
  await host.configure({});
  const { events } = await serving({ options: { failure: 'open' } });
  const names = Array.from({ length: 8 }, (_, index) => `vm-${index}`);
  const outcomes = await Promise.all(names.map((name) => create(name === 'vm-0' ? NVME : '', name)));
  expect(outcomes.map(({ status }) => status)).toEqual(names.map(() => 0));
  expect(events.map(({ domainName }) => domainName)).toEqual(['vm-0']);
});

it('fifty hooks at once get fifty answers', async () => {
  await host.configure({});
  const { records } = await serving();
  const outcomes = await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      host.run(
        HOOK,
        [`vm-${index}`, 'prepare', 'begin', '-'],
        domain(index % 2 ? BRIDGED : NVME, `vm-${index}`),
      ),
    ),
  );
  expect(outcomes.map(({ status }) => status)).toEqual(outcomes.map((_, index) => (index % 2 ? 0 : 1)));
  outcomes.forEach(({ stderr }, index) => {
    if (index % 2 === 0) expect(stderr).toContain('0000:81:00.0 needs conventional-bus');
  });
  expect(new Set(records.map(({ decision }) => decision.domain.name)).size).toBe(50);
});
