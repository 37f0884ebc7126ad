import type { DomainRegistry } from '../libvirt/domain-registry.js';
import type { GuardArming } from './guard-arming.js';

export interface FunctionReleaseParts {
  registry: Pick<DomainRegistry, 'get' | 'all'>;
  arming: Pick<GuardArming, 'now' | 'release' | 'functionsOf'>;
  log: { warn(message: string): void };
}

/** Takes the kernel guard's rules from functions that a domain has given up: it stopped, or one was detached. */
export class FunctionRelease {
  /** By UUID: what domains ran with that have stopped, and were not looked at since. */
  private readonly ranWith = new Map<string, readonly string[]>();

  constructor(private readonly parts: FunctionReleaseParts) {}

  /** To be asked before libvirt is: what is armed later than this is no business of what it answers. */
  get now(): number {
    return this.parts.arming.now;
  }

  /** A domain stopped; to be told before its record says so. */
  stopped(uuid: string): void {
    // A copy, by which `settle` knows whether it was asked for before this.
    this.ranWith.set(uuid, [...this.functionsOf(uuid)]);
  }

  /** BDFs of the functions that a domain runs with, or ran with until it stopped; to be asked before its record changes. */
  functionsOf(uuid: string): readonly string[] {
    const record = this.parts.registry.get(uuid);
    return this.ranWith.get(uuid) ?? (record?.active ? record.devices : []);
  }

  /**
   * Releases what a domain had and has no more, unless another one runs with it. Of one that does not run also what was armed
   * for a start that failed; of one that runs a device may just be about to come.
   *
   * @param had `functionsOf` it, before its record changed
   * @param has BDFs of its functions; undefined where it does not run
   * @param asOf `now`, before libvirt was asked
   */
  settle(uuid: string, had: readonly string[], has: readonly string[] | undefined, asOf: number): void {
    const { registry, arming, log } = this.parts;
    // Where it has stopped since libvirt was asked whether it runs, that is for the next look to settle.
    if (!has || this.ranWith.get(uuid) === had) this.ranWith.delete(uuid);
    const lost = has ? had.filter((device) => !has.includes(device)) : [...had, ...arming.functionsOf(uuid)];
    const others = [...registry.all()].filter((other) => other.active && other.uuid !== uuid);
    const givenUp = [...new Set(lost)].filter(
      (device) => !others.some(({ devices }) => devices.includes(device)),
    );
    if (givenUp.length === 0) return;
    const kept = arming.release(uuid, givenUp, asOf);
    if (kept) log.warn(`${givenUp.join(', ')}: ${kept.problem}`);
  }
}
