import { LocatedError } from '../../located-error.js';
import type { Memory, ParameterFiles } from './parameter-files.js';
import { optionsOf } from './modprobe-options.js';
import {
  BLOCKING,
  planParameters,
  type Aspect,
  type Blocking,
  type LiveParameters,
  type ParameterModule,
  type SeenParameters,
  type WantedParameters,
} from './parameter-plan.js';

/** What was done at one look; `read` is `block_pci_unassigned_read`, the others in the module `block_pci_unassigned_write`. */
export type ParameterStep =
  'configured' | 'unconfigured' | 'set-live' | 'reset-live' | 'set-live-read' | 'reset-live-read';

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
    const { module, live } = seen;
    const steps: ParameterStep[] = [];
    const problems: Partial<Record<'configured' | 'live', Aspect>> = {};
    let kept = memory;
    try {
      if (wanted && module) {
        kept = { module, before: live ? { ...valuesBeforeUs(wanted, seen), ...memory.before } : {} };
        if (JSON.stringify(kept) !== JSON.stringify(memory)) await this.files.remember(kept);
      }
      if (plan.ownFile !== undefined) {
        await this.files.writeOwnFile(plan.ownFile);
        steps.push(plan.ownFile === null ? 'unconfigured' : 'configured');
      }
    } catch (error) {
      problems.configured = problemOf(error);
    }
    // Without a record of what was there nothing is set, and what lasts until the next load alone would deceive.
    if (module && (!problems.configured || !wanted)) {
      for (const parameter of ['blockWrite', 'blockRead'] as const) {
        const value = plan.set[parameter];
        if (value === undefined) continue;
        try {
          await this.files.setLive(module, parameter, value);
          steps.push(stepOf(parameter, wanted));
          if (live) live[parameter] = value;
        } catch (error) {
          problems.live = problemOf(error);
        }
      }
    }
    if (!problems.configured && !problems.live) await this.forget(kept, wanted);
    return {
      ...(module && { module }),
      ...(wanted && { wanted }),
      configured: problems.configured ?? plan.configured,
      live: problems.live ?? (problems.configured && wanted ? problems.configured : plan.live),
      ...(live && { values: live }),
      steps,
    };
  }

  /** What was given back need not be kept. */
  private async forget(kept: Memory, wanted: WantedParameters | undefined): Promise<void> {
    const { blockRead: _, ...others } = kept.before;
    const before = wanted?.blockRead ? kept.before : wanted ? others : {};
    if (JSON.stringify(before) === JSON.stringify(kept.before)) return;
    await this.files.remember({ ...kept, before }).catch(() => undefined);
  }
}

/** What of the loaded module is to be given back one day. One that was loaded with our file has nothing of before us. */
function valuesBeforeUs(
  { blockRead }: WantedParameters,
  { module, live, sources, ownFile }: SeenParameters,
): Partial<Blocking> {
  const ours = optionsOf(
    module!,
    sources.filter(({ path }) => path === ownFile),
  );
  const before: Partial<Blocking> = {};
  if (live && !ours.has(BLOCKING.blockWrite)) before.blockWrite = live.blockWrite;
  if (live && blockRead && !ours.has(BLOCKING.blockRead)) before.blockRead = live.blockRead;
  return before;
}

function stepOf(parameter: keyof Blocking, wanted: WantedParameters | undefined): ParameterStep {
  if (parameter === 'blockWrite') return wanted ? 'set-live' : 'reset-live';
  return wanted?.blockRead ? 'set-live-read' : 'reset-live-read';
}

function problemOf(error: unknown): Aspect {
  const detail = error instanceof LocatedError ? `${error.place}: ${error.problem}` : String(error);
  return { state: 'differs', detail };
}
