import { samePciAddress, type PciAddress } from '../pci-address.js';
import {
  givePciAddress,
  hasPciAddress,
  Unpredictable,
  wantsPciAddress,
  type DeviceLists,
  type GuestDevice,
} from './guest-device.js';
import { CONNECT, type PciBuses } from './pci-buses.js';

function onBus0(slot: number, fn = 0): PciAddress {
  return { domain: 0, bus: 0, slot, function: fn };
}

/**
 * Takes the places of the PIIX3 chipset: ISA bridge, IDE, USB and power management in slot 1, then the primary video
 * device in slot 2 (`qemuDomainValidateDevicePCISlotsPIIX3`). What it decides stands from libvirt's dry run on.
 */
export function reserveI440fxChipset(
  lists: DeviceLists,
  buses: PciBuses,
  place: (device: GuestDevice) => void,
): void {
  const flags = CONNECT.pciDevice | CONNECT.autoassign;
  for (const controller of lists.controllers) {
    const { type, index, model } = controller;
    if (index !== 0) continue;
    if (type === 'ide') fixAt(controller, onBus0(1, 1));
    else if (type === 'usb' && model === 'piix3-uhci') fixAt(controller, onBus0(1, 2));
    else continue;
    buses.reserve(controller.pci!, flags);
  }
  buses.reserve(onBus0(1), flags);
  buses.reserve(onBus0(1, 3), flags);
  placePrimaryVideo(lists, buses, onBus0(2), flags, place);
}

/**
 * Takes the places of the ICH9 chipset: SATA, LPC and SMBus in slot 0x1f; gives USB 2 controllers, the
 * dmi-to-pci-bridge, the primary video device and an ICH9 sound device the slots that they have on real boards, where
 * those are free (`qemuDomainValidateDevicePCISlotsQ35`).
 */
export function reserveQ35Chipset(
  lists: DeviceLists,
  buses: PciBuses,
  place: (device: GuestDevice) => void,
): void {
  const flags = CONNECT.pcieDevice;
  const settle = (device: GuestDevice, address: PciAddress) => {
    buses.reserve(address, flags);
    givePciAddress(device, address);
  };
  for (const controller of lists.controllers) {
    const { type, index, model, addressType } = controller;
    if (type === 'sata' && index === 0) {
      fixAt(controller, onBus0(0x1f, 2));
    } else if (type === 'usb' && model === 'ich9-uhci1' && addressType === undefined) {
      const slot = [0x1d, 0x1a].find((candidate) => !buses.isSlotTaken(0, candidate));
      if (slot !== undefined) settle(controller, onBus0(slot));
    } else if (type === 'pci' && model === 'dmi-to-pci-bridge' && addressType === undefined) {
      if (!buses.isSlotTaken(0, 0x1e)) settle(controller, onBus0(0x1e));
    }
  }
  buses.reserve(onBus0(0x1f), flags);
  buses.reserve(onBus0(0x1f, 3), flags);
  placePrimaryVideo(lists, buses, onBus0(1), flags, place);
  if (!buses.isSlotTaken(0, 0x1b)) {
    const sound = lists.sounds.find((device) => device.model === 'ich9' && wantsPciAddress(device));
    if (sound) settle(sound, onBus0(0x1b));
  }
}

function fixAt(controller: GuestDevice, address: PciAddress): void {
  if (!hasPciAddress(controller)) givePciAddress(controller, address);
  else if (!samePciAddress(controller.pci, address)) {
    throw new Unpredictable(`libvirt would refuse ${controller.key} anywhere but in the chipset's slot`);
  }
}

function placePrimaryVideo(
  lists: DeviceLists,
  buses: PciBuses,
  usual: PciAddress,
  flags: number,
  place: (device: GuestDevice) => void,
): void {
  const video = lists.videos[0];
  if (!video || video.model === 'none' || video.model === 'ramfb' || !wantsPciAddress(video)) return;
  if (buses.isSlotTaken(usual.bus, usual.slot)) {
    place(video);
  } else {
    buses.reserve(usual, flags);
    givePciAddress(video, usual);
  }
}
