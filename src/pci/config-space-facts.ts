import { LocatedError } from '../located-error.js';
import { MAX_CONFIG_BYTES, type PciFunction } from './pci-function.js';

const HEADER_BYTES = 64;
/** What `pci_read_config` gives without CAP_SYS_ADMIN: 64 bytes, of a CardBus bridge 128. */
const MAX_UNPRIVILEGED_BYTES = 128;

const STATUS = 0x06;
const STATUS_CAPABILITY_LIST = 0x10;
const HEADER_TYPE = 0x0e;
const HEADER_TYPE_CARDBUS = 2;
const CAPABILITY_POINTER = 0x34;
const CARDBUS_CAPABILITY_POINTER = 0x14;
const CAPABILITY_EXPRESS = 0x10;
/** The kernel's own bound for a walk that loops (`PCI_FIND_CAP_TTL`). */
const MAX_CAPABILITIES = 48;

/** The fields of a function that its `config` file tells. */
export type ConfigSpaceFacts = Pick<PciFunction, 'configSpace' | 'configSize' | 'express'>;

/**
 * Judges what was read from a function's `config` file.
 *
 * @param fileSize bytes that stat gives, where it is sysfs 256 or 4,096 (`pci_dev_config_attr_bin_size`)
 * @throws LocatedError where the bytes are not this function's config space
 */
export function configSpaceFacts(fn: PciFunction, bytes: Uint8Array, fileSize: number): ConfigSpaceFacts {
  const refuse = (problem: string, remedy: string): never => {
    throw new LocatedError(problem, `${fn.bdf} config`, remedy);
  };
  if (bytes.length > MAX_CONFIG_BYTES) {
    refuse(
      `it is longer than ${MAX_CONFIG_BYTES} bytes, so it is no config space`,
      'Check that the root is a sysfs.',
    );
  }
  if (bytes.length < HEADER_BYTES) {
    refuse(
      `only ${bytes.length} bytes of the ${HEADER_BYTES}-byte header could be read`,
      'Check that the root is a sysfs, and the kernel log.',
    );
  }
  if (bytes.subarray(0, HEADER_BYTES).every((byte) => byte === 0xff)) {
    refuse(
      'it reads all-ones: the device does not answer',
      'Do not assign it; look at the kernel log: it may need a reset or a power cycle.',
    );
  }
  // A virtual function has 0xffff in both (SR-IOV specification 3.4.1.1, 3.4.1.2); sysfs has its ids from the PF.
  const ids = `${word(bytes, 0)}:${word(bytes, 2)}`;
  if (fn.kind === 'pf' && ids !== `${fn.vendor}:${fn.device}`) {
    refuse(
      `it belongs to ${ids}, but sysfs names ${fn.vendor}:${fn.device}`,
      'The device was exchanged or its firmware was: remove the function and rescan the bus.',
    );
  }
  const facts: ConfigSpaceFacts = { configSpace: bytes };
  const express = hasExpressCapability(bytes);
  if (express !== undefined) facts.express = express;
  if (bytes.length > MAX_UNPRIVILEGED_BYTES) facts.configSize = bytes.length;
  else if (fileSize === 256 || fileSize === MAX_CONFIG_BYTES) facts.configSize = fileSize;
  return facts;
}

/** Whether the capability list holds PCI Express; undefined where it leads past the bytes at hand. */
function hasExpressCapability(bytes: Uint8Array): boolean | undefined {
  if ((bytes[STATUS]! & STATUS_CAPABILITY_LIST) === 0) return false;
  const cardBus = (bytes[HEADER_TYPE]! & 0x7f) === HEADER_TYPE_CARDBUS;
  let at = bytes[cardBus ? CARDBUS_CAPABILITY_POINTER : CAPABILITY_POINTER]! & ~3;
  for (let hops = 0; at >= HEADER_BYTES && hops < MAX_CAPABILITIES; hops++) {
    const id = bytes[at];
    const next = bytes[at + 1];
    if (id === undefined || next === undefined) return undefined;
    if (id === 0xff) return false;
    if (id === CAPABILITY_EXPRESS) return true;
    at = next & ~3;
  }
  return false;
}

function word(bytes: Uint8Array, offset: number): string {
  return (bytes[offset]! | (bytes[offset + 1]! << 8)).toString(16).padStart(4, '0');
}
