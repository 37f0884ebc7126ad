import { spawn, type ChildProcess } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('metronome.py', import.meta.url));

/** A time at which a processor did nothing for anybody, in milliseconds of CLOCK_MONOTONIC. */
export interface Stall {
  from: number;
  to: number;
}

/** A timer of the highest priority on each processor: what comes late beside it came late by the machine. */
export class Metronomes {
  readonly #processes: ChildProcess[] = [];
  readonly #stalls: Stall[] = [];

  constructor() {
    for (let processor = 0; processor < availableParallelism(); processor += 1) {
      const child = spawn('python3', [PROGRAM, `${processor}`], { stdio: ['ignore', 'pipe', 'inherit'] });
      this.#processes.push(child);
      createInterface(child.stdout).on('line', (line) => {
        const [to, late] = line.split(' ').map(Number);
        this.#stalls.push({ from: to! - late!, to: to! });
      });
    }
  }

  /** Those of at least so many milliseconds since the last call. */
  take(leastMs: number): Stall[] {
    return this.#stalls.splice(0).filter(({ from, to }) => to - from >= leastMs);
  }

  stop(): void {
    for (const child of this.#processes) child.kill();
  }
}
