import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { fixtureHostMissing } from '../fixtures/host/fixture-host.js';
import { hostdev } from '../fixtures/scenario.js';
import { domain, FREE_BRIDGE, NVME, ON_A_PORT, ON_THE_BRIDGE, VF, vfInterface } from './domains.js';
import { ProxiedHost } from './proxied-host.js';

const missing = fixtureHostMissing();
if (missing !== undefined) console.warn(`skipped: ${missing}`);

const UUID = '6d0d3b1e-8d3c-4a8f-9d3c-0b7a1c1d2e3f';
const MAC = '52:54:00:00:00:01';

describe.skipIf(missing !== undefined)(
  'the life of a domain with an assigned device, by virsh through the proxy',
  () => {
    let proxied: ProxiedHost;
    const virsh = (...command: string[]) => proxied.virsh(...command);
    const plug = (bdf = NVME) => proxied.plugOf('vm', bdf);

    beforeAll(async () => {
      proxied = await ProxiedHost.start();
    }, 60_000);
    afterEach(() => proxied.clear());
    afterAll(() => proxied?.stop());

    it('is defined with the bridge, and starts with its device on it', async () => {
      await proxied.define(domain('vm', hostdev(NVME)));
      expect(await virsh('dumpxml', 'vm', '--inactive')).toContain("model='pcie-to-pci-bridge'");
      await virsh('start', 'vm');

      expect(await plug()).toBe(ON_THE_BRIDGE);
      expect(proxied.stand.journal.decisions).toHaveLength(1);
    });

    it('is created without being defined, and has its device on the bridge', async () => {
      await virsh('create', proxied.file('domain.xml', domain('vm', hostdev(NVME))));

      expect(await plug()).toBe(ON_THE_BRIDGE);
      await virsh('destroy', 'vm');
      expect(await virsh('list', '--all', '--name')).not.toContain('vm');
    });

    it('passes as it is where it has no assigned device', async () => {
      const unassigned = domain('vm', "<interface type='user'><model type='virtio'/></interface>", {
        uuid: UUID,
      });
      await proxied.define(unassigned);
      const through = await virsh('dumpxml', 'vm', '--inactive');
      const direct = await proxied.host.virsh('dumpxml', 'vm', '--inactive');

      expect(through).toBe(direct);
      expect(through).not.toContain('pcie-to-pci-bridge');
      expect(through).not.toContain('vfio-warden');
    });

    it('gets a device that an editor adds on the bridge, too', async () => {
      await proxied.define(domain('vm', '', { uuid: UUID }));
      const sed = `sed -i "s#<devices>#<devices>${hostdev(NVME)}#"`;
      await proxied.virshAs(
        { EDITOR: proxied.file('editor.sh', `${sed} "$1"\n`) && `sh ${proxied.host.directory}/editor.sh` },
        'edit',
        'vm',
      );
      await virsh('start', 'vm');

      expect(await plug()).toBe(ON_THE_BRIDGE);
    });

    it('gets a bare device that is attached while it runs on a bridge that it has', async () => {
      await proxied.define(domain('vm', FREE_BRIDGE));
      await virsh('start', 'vm');
      const device = proxied.file('device.xml', hostdev(NVME));
      await virsh('attach-device', 'vm', device, '--live');
      expect(await plug()).toBe(ON_THE_BRIDGE);

      await virsh('detach-device', 'vm', device, '--live');
      await goneFromGuest();
    });

    it.each([
      ['hostdev', () => hostdev(NVME, clientAddress), NVME],
      ['interface', () => vfInterface(MAC, clientAddress), VF],
    ])('is rid of its %s that is detached by the address that the client knew', async (_, device, bdf) => {
      await proxied.define(domain('vm', FREE_BRIDGE + device()));
      await virsh('start', 'vm');
      expect(await plug(bdf)).toBe(ON_THE_BRIDGE);

      await virsh('detach-device', 'vm', proxied.file('device.xml', device()), '--live');
      await goneFromGuest();
      expect(await plug(bdf)).toBeUndefined();
    });

    it('is updated where no device is concerned', async () => {
      await proxied.define(
        domain(
          'vm',
          hostdev(NVME) + "<disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>",
        ),
      );
      const image = proxied.file('cd.iso', 'x'.repeat(2048));
      const disk = `<disk type='file' device='cdrom'><source file='${image}'/><target dev='sda' bus='sata'/></disk>`;
      await virsh('update-device', 'vm', proxied.file('device.xml', disk), '--config');

      expect(await virsh('dumpxml', 'vm', '--inactive')).toContain(image);
    });

    it('is suspended and resumed as Nova does, with the device back on the bridge', async () => {
      await proxied.define(domain('vm', FREE_BRIDGE + hostdev(NVME), { uuid: UUID }));
      await virsh('start', 'vm');
      ranRestricted();

      await virsh('detach-device', 'vm', proxied.file('device.xml', hostdev(NVME)), '--live');
      await goneFromGuest();
      await virsh('managedsave', 'vm');
      const saved = await virsh('dumpxml', 'vm', '--inactive');
      await proxied.define(saved.replace(/<hostdev[^]*<\/hostdev>/, ''));
      await virsh('start', 'vm');
      expect(await plug()).toBeUndefined();
      await virsh('attach-device', 'vm', proxied.file('device.xml', hostdev(NVME)), '--live');

      expect(await plug()).toBe(ON_THE_BRIDGE);
    });

    it('is rebooted hard as Nova does: the guest that had the device on the bridge has it there again', async () => {
      const template = domain('vm', hostdev(NVME), { uuid: UUID });
      await proxied.define(template);
      await virsh('start', 'vm');
      ranRestricted();

      await virsh('destroy', 'vm');
      await virsh('undefine', 'vm');
      await proxied.define(template);
      await virsh('start', 'vm');

      expect(await plug()).toBe(ON_THE_BRIDGE);
    });

    it('keeps its hardware where it has run with another', async () => {
      const template = domain('vm', hostdev(NVME), { uuid: UUID });
      proxied.stand.registry.change(UUID, 'vm', { state: 'has-run' });
      await proxied.define(template);
      await virsh('start', 'vm');

      expect(await plug()).toBe(ON_A_PORT);
    });

    /** A place on a root port, as a client that wrote the address itself knows it. */
    const clientAddress = "<address type='pci' domain='0x0000' bus='0x03' slot='0x00' function='0x0'/>";

    /** What the reconciler writes down when it sees the domain run. */
    function ranRestricted(): void {
      proxied.stand.registry.change(UUID, 'vm', { state: 'has-run', ranRestricted: [NVME] });
    }

    async function goneFromGuest(): Promise<void> {
      await proxied.host.ejectAsGuest('vm');
      await vi.waitFor(
        async () => expect(await proxied.host.virsh('dumpxml', 'vm')).not.toMatch(/<hostdev|type='hostdev'/),
        {
          timeout: 10_000,
        },
      );
    }
  },
);
