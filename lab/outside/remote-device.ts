import type { Duplex } from 'node:stream';

// include/hw/remote/mpqemu-link.h of QEMU: `struct { int cmd; size_t size; union data; }`, little endian on x86.
const HEADER_BYTES = 16;
const COMMAND = {
  SYNC_SYSMEM: 0,
  RET: 1,
  PCI_CFGWRITE: 2,
  PCI_CFGREAD: 3,
  BAR_WRITE: 4,
  BAR_READ: 5,
  SET_IRQFD: 6,
  DEVICE_RESET: 7,
};

/** A PCI function that lives outside of QEMU: answers accesses to its config space. */
export interface RemoteFunction {
  /** @param length bytes, 1, 2 or 4 */
  readConfig(offset: number, length: number): number;
  writeConfig(offset: number, value: number, length: number): void;
}

/**
 * Plays a conventional PCI function behind QEMU's `x-pci-proxy-dev` (docs/system/multi-process.rst): what no device of
 * QEMU has, such as vital product data, can be given to the host this way. It has no BARs and no interrupts.
 */
export function playRemoteFunction(channel: Duplex, fn: RemoteFunction): void {
  let rest = Buffer.alloc(0);
  channel.on('error', () => undefined);
  channel.on('data', (data: Buffer) => {
    rest = Buffer.concat([rest, data]);
    while (rest.length >= HEADER_BYTES) {
      const command = rest.readInt32LE(0);
      const size = Number(rest.readBigUInt64LE(8));
      if (rest.length < HEADER_BYTES + size) return;
      const reply = answer(fn, command, rest.subarray(HEADER_BYTES, HEADER_BYTES + size));
      rest = rest.subarray(HEADER_BYTES + size);
      if (reply !== undefined) channel.write(frame(reply));
    }
  });
}

/** The value to reply; undefined where QEMU awaits none. */
function answer(fn: RemoteFunction, command: number, data: Buffer): number | undefined {
  switch (command) {
    case COMMAND.PCI_CFGREAD:
      return fn.readConfig(data.readUInt32LE(0), data.readInt32LE(8));
    case COMMAND.PCI_CFGWRITE:
      fn.writeConfig(data.readUInt32LE(0), data.readUInt32LE(4), data.readInt32LE(8));
      return 0;
    case COMMAND.SYNC_SYSMEM:
    case COMMAND.SET_IRQFD:
      return undefined;
    default:
      return 0;
  }
}

function frame(value: number): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES + 8);
  bytes.writeInt32LE(COMMAND.RET, 0);
  bytes.writeBigUInt64LE(8n, 8);
  bytes.writeBigUInt64LE(BigInt(value >>> 0), HEADER_BYTES);
  return bytes;
}
