import type { AddressPlan } from '../domain-xml/addressing/address-plan.js';
import type { HostKnowledge } from '../domain-xml/addressing/connect-flags.js';
import type { AssignedDevice } from '../domain-xml/assigned-devices.js';
import type { DomainDocument } from '../domain-xml/domain-document.js';
import type { MachineFamily } from '../domain-xml/machine.js';
import type { HostCapabilities } from '../host/host-capabilities.js';
import type { PciFunction } from '../pci/pci-function.js';
import type { Exposure } from '../risk/exposure.js';
import type { CompatibilityNeed, Finding } from '../risk/finding.js';
import type { AssessedMirror } from '../risk/risk-database.js';
import type { MechanismName } from './mechanism.js';

/** One device as policy has judged it. */
export interface DeviceIntake {
  device: AssignedDevice;
  function: PciFunction | undefined;
  findings: readonly Finding[];
  needs: readonly CompatibilityNeed[];
  /** Windows in BARs that show its config space. */
  mirrors: readonly AssessedMirror[];
  required: ReadonlySet<Exposure>;
  allowed: readonly MechanismName[];
  /** Whether the unassigned bytes that are closed to writes are to be closed to reads, too. */
  closeReads: boolean;
  /** Why the guest's hardware may not change for it; absent where it may. */
  changeRefused?: string;
}

/** What the devices of a domain are planned by. */
export interface PlanContext {
  document: DomainDocument;
  host: HostCapabilities;
  hostKnowledge: HostKnowledge;
  family: MachineFamily;
  /** Where libvirt would put everything, before any edit. */
  addresses: AddressPlan;
  /** Whether the devices are plugged into a domain that is there: then they take places that it has. */
  plugging: boolean;
  /** Whether the domain runs, or comes from another host: what it has and need not have is no matter now. */
  fixed: boolean;
}

/** What a device gets because of what is planned for others. */
export interface GivenByOthers {
  /** Whether the whole domain becomes an i440fx machine. */
  converted: boolean;
  /** Devices that move behind a bridge with another function of their slot. */
  moved: ReadonlySet<AssignedDevice>;
}
