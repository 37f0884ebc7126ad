import { assignPciAddresses, type AddressPlan } from '../domain-xml/addressing/address-plan.js';
import type { HostKnowledge } from '../domain-xml/addressing/connect-flags.js';
import type { DomainDocument } from '../domain-xml/domain-document.js';
import { machineFamily, type MachineFamily } from '../domain-xml/machine.js';
import type { HostCapabilities } from '../host/host-capabilities.js';
import type { PlanContext } from '../mitigation/plan-context.js';
import type { PciFunction } from '../pci/pci-function.js';
import type { DecideInput } from './decide-input.js';

/**
 * What all devices of a domain are planned by. Not an object literal: with a getter each would have a hidden class of its own,
 * by which V8 keeps the document until the whole heap is collected.
 */
export class DomainContext implements PlanContext {
  readonly host: HostCapabilities;
  readonly hostKnowledge: HostKnowledge;
  readonly family: MachineFamily;
  readonly plugging: boolean;
  readonly fixed: boolean;
  private assigned: AddressPlan | undefined;

  constructor(
    input: DecideInput,
    readonly document: DomainDocument,
  ) {
    const { host, inventory, hostdevNetworks } = input;
    const devices = host.qemuDevices && new Set(host.qemuDevices);
    this.host = host;
    this.hostKnowledge = {
      isExpress: (source) => countsAsExpress(inventory.get(source)),
      forwardsHostdev: (network) => hostdevNetworks.includes(network),
      hasDevice: (name) => devices?.has(name),
    };
    const { arch, type } = document.machine;
    this.family = machineFamily(arch, type ?? host.defaultMachine);
    this.plugging = input.attach !== undefined;
    this.fixed = input.guestHardware === 'fixed';
  }

  /** Worked out when first asked for: most domains have no assigned device. */
  get addresses(): AddressPlan {
    this.assigned ??= assignPciAddresses(this.document.root, this.hostKnowledge);
    return this.assigned;
  }
}

/** Libvirt takes a function for PCI Express also where its config space is larger than 256 bytes (`virPCIDeviceIsPCIExpress`). */
function countsAsExpress(fn: PciFunction | undefined): boolean | undefined {
  if (fn?.express === undefined) return undefined;
  return fn.express || (fn.configSize ?? 256) > 256;
}
