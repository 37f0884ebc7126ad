import { performance } from 'node:perf_hooks';

/** `MB` is 1,000,000 bytes; `instructions` are those of an emulated processor, as QEMU counts them. */
export type Unit = 'ms' | 'ratio' | 'MB' | 'instructions';

export interface Figures {
  median: number;
  p99: number;
}

/** Prints one figure; README.md beside this file says how to read it. */
export function print(name: string, value: number, unit: Unit, baseline = '-'): void {
  const digits = unit === 'instructions' ? value.toFixed(0) : value.toPrecision(3);
  console.log(`${name} ${digits} ${unit} ${baseline}`);
}

/** Prints something that is no figure. */
export function remark(text: string): void {
  console.log(`# ${text}`);
}

/** @param samples one at least */
export function figures(samples: readonly number[]): Figures {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (part: number) => sorted[Math.ceil(part * sorted.length) - 1]!;
  return { median: at(0.5), p99: at(0.99) };
}

/** What one round of a candidate took, in milliseconds; what is not to be timed is left out of it. */
export type Timed = () => Promise<number>;

/**
 * Times several candidates in rounds, each once a round, so that what else the machine does meets all alike. Who is first
 * changes from round to round: the first of them finds colder caches.
 *
 * @returns milliseconds, one for each round after the warm-up
 */
export async function interleave<Name extends string>(
  candidates: Record<Name, Timed>,
  { rounds, warmUp }: { rounds: number; warmUp: number },
): Promise<Record<Name, number[]>> {
  const names = Object.keys(candidates) as Name[];
  const samples = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  for (let round = 0; round < warmUp + rounds; round += 1) {
    for (let at = 0; at < names.length; at += 1) {
      const name = names[(round + at) % names.length]!;
      const ms = await candidates[name]();
      if (round >= warmUp) samples[name].push(ms);
    }
  }
  return samples;
}

/** Milliseconds that something takes. */
export async function time(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}
