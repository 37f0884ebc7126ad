import type { ConfigWrite } from './hardware-trace.js';
import type { OuterMachine } from './outer-machine.js';

/** Registers that the device does not survive being written to. */
export interface Poison {
  /** BDF of the device on the lab's host. */
  bdf: string;
  /** Offset in config space, and how many bytes from there. */
  offset: number;
  size: number;
  /** How many writes it takes. */
  writes: number;
  /**
   * `host-crash`: an interrupt that no software can mask takes the host down, as an unanswered transaction does on the
   * machines of the talk. `device-crash`: the root port reports a fatal error, and the kernel resets the link.
   */
  effect: 'host-crash' | 'device-crash';
}

/** How often the trace is looked at, in milliseconds. */
const POLL_MS = 20;

/** Plays the bad device of the talk: watches what reaches hardware, and acts when a poisoned register is written. */
export class BadHardware {
  #hits = 0;
  readonly #timer: NodeJS.Timeout;
  readonly #unwatch: () => void;

  /** @param port id of the device's root port in the outer QEMU */
  constructor(
    private readonly machine: OuterMachine,
    private readonly poison: Poison,
    private readonly port: string,
  ) {
    machine.hardware.poll();
    this.#unwatch = machine.hardware.watch((write) => this.#see(write));
    this.#timer = setInterval(() => machine.hardware.poll(), POLL_MS);
  }

  /** Writes that have reached the poisoned registers. */
  get hits(): number {
    this.machine.hardware.poll();
    return this.#hits;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#unwatch();
  }

  #see(write: ConfigWrite): void {
    const { bdf, offset, size, writes, effect } = this.poison;
    if (!bdf.endsWith(write.address) || write.offset >= offset + size || write.offset < offset) return;
    this.#hits += 1;
    if (this.#hits !== writes) return;
    const command = effect === 'host-crash' ? 'nmi' : `pcie_aer_inject_error ${this.port} MALF_TLP`;
    void this.machine.monitorCommand(command).catch(() => undefined);
  }
}
