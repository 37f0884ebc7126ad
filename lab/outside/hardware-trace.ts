import { closeSync, openSync, readSync } from 'node:fs';

/** A write of the host to a device's config space, as the device (the outer QEMU) sees it. */
export interface ConfigWrite {
  /** The device's id in the outer QEMU's trace: its model's name. */
  model: string;
  /** `bus:slot.function` as the host has numbered it. */
  address: string;
  offset: number;
  value: number;
}

// pci_cfg_write of QEMU's hw/pci/trace-events: `pci_cfg_write nvme 01:00.0 @0x4 <- 0x107`.
const CONFIG_WRITE = /pci_cfg_write (\S+) ([0-9a-f]{2}:[0-9a-f]{2}\.[0-7]) @0x([0-9a-f]+) <- 0x([0-9a-f]+)/;

/**
 * What the hardware sees: the outer QEMU's trace, read as it grows. QEMU writes each line before the access of the host
 * ends, so whatever happened before an answer of the host is in the file when the answer is here.
 */
export class HardwareTrace {
  readonly #file: number;
  readonly #listeners = new Set<(write: ConfigWrite) => void>();
  readonly #lines: string[] = [];
  #position = 0;
  #closed = false;
  #rest = '';

  constructor(path: string) {
    this.#file = openSync(path, 'r');
  }

  /** Calls back for each write from now on, whoever reads the trace. */
  watch(listener: (write: ConfigWrite) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** All lines that came since the last call. */
  take(): string[] {
    this.#read();
    return this.#lines.splice(0);
  }

  /** The config writes that came since the last call. */
  takeWrites(): ConfigWrite[] {
    return this.take().flatMap((line) => parseConfigWrite(line) ?? []);
  }

  /** Reads on for the listeners, without taking anything. */
  poll(): void {
    this.#read();
  }

  /** Once; a machine that a case has switched off is switched off again at the end of a run. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#file);
  }

  #read(): void {
    const buffer = Buffer.alloc(65_536);
    for (;;) {
      const count = readSync(this.#file, buffer, 0, buffer.length, this.#position);
      if (count === 0) return;
      this.#position += count;
      const lines = (this.#rest + buffer.toString('latin1', 0, count)).split('\n');
      this.#rest = lines.pop()!;
      for (const line of lines) {
        this.#lines.push(line);
        const write = parseConfigWrite(line);
        if (write) for (const listener of this.#listeners) listener(write);
      }
    }
  }
}

export function parseConfigWrite(line: string): ConfigWrite | undefined {
  const match = CONFIG_WRITE.exec(line);
  if (!match) return undefined;
  return {
    model: match[1]!,
    address: match[2]!,
    offset: Number.parseInt(match[3]!, 16),
    value: Number.parseInt(match[4]!, 16),
  };
}
