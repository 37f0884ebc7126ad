import { hostdev } from '../fixtures/scenario.js';

export const NVME = '0000:81:00.0';
/** Functions of the fixture node that policies/examples puts on a conventional bus, each alone in its IOMMU group. */
export const RESTRICTED = [NVME, '0000:5e:00.0', '0000:5f:00.0', '0000:d8:00.0'] as const;

/** A small guest that starts anywhere. */
export function guest(name: string, devices: string, uuid?: string): string {
  return `<domain type='qemu'><name>${name}</name>${uuid === undefined ? '' : `<uuid>${uuid}</uuid>`}
    <memory unit='MiB'>32</memory><os><type arch='x86_64' machine='q35'>hvm</type></os>
    <devices>${devices}<memballoon model='none'/></devices></domain>`;
}

/** The same with a function of the host. */
export function guestWith(bdf: string, name = 'vm', uuid?: string): string {
  return guest(name, hostdev(bdf), uuid);
}

/** Whether a document has the conventional bus that policies/examples asks for. */
export function isRestricted(xml: string): boolean {
  return xml.includes("model='pcie-to-pci-bridge'");
}
