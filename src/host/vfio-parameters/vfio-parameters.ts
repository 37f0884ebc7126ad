import { LocatedError } from '../../located-error.js';
import type { ParameterFiles } from './parameter-files.js';
import {
  planParameters,
  type Aspect,
  type LiveParameters,
  type ParameterModule,
  type WantedParameters,
} from './parameter-plan.js';

/** What was done at one look. */
export type ParameterStep = 'configured' | 'unconfigured' | 'set-live' | 'reset-live';

/** How it stands after a look. */
export interface ParameterStatus {
  /** The module that has the parameters; absent where none was seen. */
  module?: ParameterModule;
  /** Absent where nothing is asked for. */
  wanted?: WantedParameters;
  /** For the next load of the module. */
  configured: Aspect;
  /** In the module that is loaded. */
  live: Aspect;
  /** What the module has now; absent where it is not loaded. */
  values?: LiveParameters;
  steps: ParameterStep[];
}

/** Brings the host to what is wanted, and keeps what was there before, so that it can be given back. */
export class VfioParameters {
  constructor(private readonly files: ParameterFiles) {}

  /**
   * One look, and what it calls for. What was there is kept before anything is changed, and the file for the next load is
   * written before the live value, so that a crash in between leaves a host that the next look brings to the same end.
   *
   * @param ask what is wanted, asked only where a module has the parameters; undefined: what we did is taken back
   * @param heldIds ids of functions that a vfio driver holds now
   */
  async converge(
    ask: () => WantedParameters | undefined,
    heldIds: ReadonlySet<string>,
  ): Promise<ParameterStatus> {
    const memory = await this.files.recall();
    const seen = await this.files.see(heldIds, memory);
    const wanted = seen.module && ask();
    const plan = planParameters(wanted, seen, memory.before);
    const { module, live, sources, ownFile } = seen;
    const steps: ParameterStep[] = [];
    const problems: Partial<Record<'configured' | 'live', Aspect>> = {};
    try {
      if (wanted && module) {
        // A module that was loaded with our file in place has nothing of before us.
        const first = live && memory.before === undefined && !sources.some(({ path }) => path === ownFile);
        const before = live ? (first ? live.blockWrite : memory.before) : undefined;
        if (before !== memory.before || module !== memory.module) {
          await this.files.remember({ module, ...(before !== undefined && { before }) });
        }
      }
      if (plan.ownFile !== undefined) {
        await this.files.writeOwnFile(plan.ownFile);
        steps.push(plan.ownFile === null ? 'unconfigured' : 'configured');
      }
    } catch (error) {
      problems.configured = problemOf(error);
    }
    // Without a record of what was there nothing is set, and what lasts until the next load alone would deceive.
    if (plan.liveWrite !== undefined && module && (!problems.configured || !wanted)) {
      try {
        await this.files.setLive(module, plan.liveWrite);
        steps.push(wanted ? 'set-live' : 'reset-live');
        if (live) live.blockWrite = plan.liveWrite;
      } catch (error) {
        problems.live = problemOf(error);
      }
    }
    if (!wanted && !problems.configured && !problems.live && memory.before !== undefined) {
      await this.files.remember({ ...(module && { module }) }).catch(() => undefined);
    }
    return {
      ...(module && { module }),
      ...(wanted && { wanted }),
      configured: problems.configured ?? plan.configured,
      live: problems.live ?? (problems.configured && wanted ? problems.configured : plan.live),
      ...(live && { values: live }),
      steps,
    };
  }
}

function problemOf(error: unknown): Aspect {
  const detail = error instanceof LocatedError ? `${error.place}: ${error.problem}` : String(error);
  return { state: 'differs', detail };
}
