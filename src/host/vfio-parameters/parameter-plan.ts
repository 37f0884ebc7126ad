import { optionsOf, readBoolean, readIds, type OptionSource } from './modprobe-options.js';

/** The RFC puts its parameters into `vfio_pci_core`; `vfio_pci` is looked at in case a backport put them there. */
export const PARAMETER_MODULES = ['vfio_pci_core', 'vfio_pci'] as const;
export type ParameterModule = (typeof PARAMETER_MODULES)[number];

/** The kernel takes 1,024 characters of a string parameter at most (`param_set_charp`). */
const MAX_IDS = 100;

/** What the RFC's parameters of vfio-pci are to be, so that the policy in force holds on this host. */
export interface WantedParameters {
  /** `vvvv:dddd` of devices whose unassigned bytes are to be closed, in order. */
  block: string[];
  /** Whether they are to be closed to reads, too: the parameter for that acts on all of them. */
  blockRead: boolean;
  /** Those of this host that must stay as they are, `uaccess_allow_ids`, and why. */
  allow: { id: string; reason: string }[];
}

/** The parameters that can be changed while the module is loaded, by their names there. */
export const BLOCKING = {
  blockWrite: 'block_pci_unassigned_write',
  blockRead: 'block_pci_unassigned_read',
} as const;
export type Blocking = Record<keyof typeof BLOCKING, boolean>;

/** What is live in a loaded module. */
export interface LiveParameters extends Blocking {
  /** Cannot be changed while the module is loaded. */
  allowIds: string[];
}

/** What was seen of the host. */
export interface SeenParameters {
  /** The module that has, or when it was loaded had, the parameters; undefined where no such module was seen. */
  module: ParameterModule | undefined;
  /** Undefined where the module is not loaded. */
  live: LiveParameters | undefined;
  /** All files of modprobe.d in modprobe's order, and the command line as the last one. */
  sources: OptionSource[];
  /** Our own file. */
  ownFile: string;
  /** Ids of functions that a vfio driver holds now. */
  heldIds: ReadonlySet<string>;
}

/** Whether something is as it should be, and if not, why. */
export interface Aspect {
  state: 'as-wanted' | 'pending' | 'differs' | 'none';
  detail: string;
}

/** What there is to do, and what the host will be like after it. */
export interface ParameterPlan {
  /** Text of our file; null: it is to be removed; undefined: it is right. */
  ownFile: string | null | undefined;
  /** What is to be written into the loaded module. */
  set: Partial<Blocking>;
  /** For the next load of the module. */
  configured: Aspect;
  /** In the module that is loaded. */
  live: Aspect;
}

const HEAD =
  '# Written by vfio-warden from its policy; a change is taken back. `wardenctl uninstall` removes it.\n';

/**
 * What to write so that the host has what is wanted.
 *
 * @param wanted undefined: nothing, what we did is to be taken back
 * @param before what the parameters were before we set them; without those that we did not set
 */
export function planParameters(
  wanted: WantedParameters | undefined,
  seen: SeenParameters,
  before: Partial<Blocking>,
): ParameterPlan {
  const own = seen.sources.find(({ path }) => path === seen.ownFile);
  if (wanted === undefined || seen.module === undefined) return planRelease(seen, own, before);
  if (wanted.allow.length > MAX_IDS) {
    const detail = `policy leaves ${wanted.allow.length} kinds of devices as they are, and the kernel takes a list of ${MAX_IDS}`;
    const aspect: Aspect = { state: 'differs', detail };
    return { ownFile: undefined, set: {}, configured: aspect, live: aspect };
  }
  const text = fileText(seen.module, wanted);
  const sources = own
    ? seen.sources.map((source) => (source === own ? { ...own, text } : source))
    : insertByName(seen.sources, { path: seen.ownFile, text });
  return {
    ownFile: own?.text === text ? undefined : text,
    configured: judgeConfigured(wanted, seen.module, sources),
    ...planLive(wanted, seen, restored('blockRead', seen, own, before)),
  };
}

/**
 * What a parameter had before us, or would have without our file.
 *
 * @returns undefined where we never set it
 */
function restored(
  parameter: keyof Blocking,
  { module, sources }: SeenParameters,
  own: OptionSource | undefined,
  before: Partial<Blocking>,
): boolean | undefined {
  const name = BLOCKING[parameter];
  if (before[parameter] !== undefined) return before[parameter];
  if (!own || !optionsOf(module!, [own]).has(name)) return undefined;
  const others = sources.filter((source) => source !== own);
  return readBoolean(optionsOf(module!, others).get(name)?.value) ?? false;
}

/** Nothing is wanted: our file goes, and the parameters get back what they had. */
function planRelease(
  seen: SeenParameters,
  own: OptionSource | undefined,
  before: Partial<Blocking>,
): ParameterPlan {
  const { module, live } = seen;
  const detail =
    module === undefined
      ? 'no module was seen that has the parameters (no released kernel has)'
      : 'policy does not ask for them on this host';
  const none: Aspect = { state: 'none', detail };
  const plan: ParameterPlan = { ownFile: undefined, set: {}, configured: none, live: none };
  if (module === undefined) return plan;
  if (own) plan.ownFile = null;
  if (!live) return plan;
  for (const parameter of ['blockWrite', 'blockRead'] as const) {
    const back = restored(parameter, seen, own, before);
    if (back !== undefined && live[parameter] !== back) plan.set[parameter] = back;
  }
  return plan;
}

function fileText(module: ParameterModule, { allow, blockRead }: WantedParameters): string {
  const ids = allow.map(({ id }) => id);
  const blocking = `${BLOCKING.blockWrite}=Y${blockRead ? ` ${BLOCKING.blockRead}=Y` : ''}`;
  return `${HEAD}options ${module} ${blocking} uaccess_allow_ids=${ids.join(',')}\n`;
}

/** modprobe reads files in the order of their names, whatever their directory. */
function insertByName(sources: readonly OptionSource[], own: OptionSource): OptionSource[] {
  const name = (path: string) => path.slice(path.lastIndexOf('/') + 1);
  const after = sources.findIndex(({ path }) => !path.endsWith('.conf') || name(path) > name(own.path));
  return after === -1 ? [...sources, own] : sources.toSpliced(after, 0, own);
}

function judgeConfigured(
  { allow, blockRead }: WantedParameters,
  module: ParameterModule,
  sources: readonly OptionSource[],
): Aspect {
  const options = optionsOf(module, sources);
  for (const name of [BLOCKING.blockWrite, ...(blockRead ? [BLOCKING.blockRead] : [])]) {
    const option = options.get(name);
    if (readBoolean(option?.value) !== true)
      return { state: 'differs', detail: `${option?.path} says ${name}=${option?.value}` };
  }
  const ids = options.get('uaccess_allow_ids');
  const configured = new Set(readIds(ids?.value));
  const problem = idsDiffer(configured, allow);
  if (problem !== undefined)
    return { state: 'differs', detail: `${ids?.path}: uaccess_allow_ids ${problem}` };
  return {
    state: 'as-wanted',
    detail: `${options.get(BLOCKING.blockWrite)!.path}, ${allow.length} devices exempt`,
  };
}

/**
 * A device that must stay open and is in use would lose its registers at once, so it keeps the parameter from being set
 * until the module is loaded anew. Where the parameter is on already it stays on: to open the dangerous ones were worse.
 *
 * @param readBefore what `block_pci_unassigned_read` gets where it is not wanted; undefined where that is no business of ours
 */
function planLive(
  { block, blockRead, allow }: WantedParameters,
  { module, live, heldIds }: SeenParameters,
  readBefore: boolean | undefined,
): Pick<ParameterPlan, 'set' | 'live'> {
  if (!live) {
    return {
      set: {},
      live: { state: 'pending', detail: `${module} is not loaded: what is configured holds when it is` },
    };
  }
  const exempt = new Set(live.allowIds);
  const missed = allow.filter(({ id }) => !exempt.has(id) && heldIds.has(id));
  const reload = `until ${module} is loaded anew`;
  if (missed.length > 0) {
    const { id, reason } = missed[0]!;
    const which = `${id} is in use and not in uaccess_allow_ids (${reason})`;
    return live.blockWrite
      ? { set: {}, live: { state: 'differs', detail: `${which}: it is closed, too, ${reload}` } }
      : { set: {}, live: { state: 'pending', detail: `${which}: not set ${reload}` } };
  }
  const open = block.filter((id) => exempt.has(id));
  const aspect: Aspect =
    open.length > 0
      ? { state: 'differs', detail: `uaccess_allow_ids exempts ${open.join(', ')} ${reload}` }
      : {
          state: 'as-wanted',
          detail: `${module}.${BLOCKING.blockWrite}${blockRead ? ` and ${BLOCKING.blockRead} are` : ' is'} Y`,
        };
  const set: Partial<Blocking> = {};
  if (!live.blockWrite) set.blockWrite = true;
  const read = blockRead || readBefore;
  if (read !== undefined && live.blockRead !== read) set.blockRead = read;
  return { set, live: aspect };
}

function idsDiffer(ids: ReadonlySet<string>, allow: WantedParameters['allow']): string | undefined {
  const wanted = new Set(allow.map(({ id }) => id));
  const missing = [...wanted].find((id) => !ids.has(id));
  if (missing !== undefined) return `lacks ${missing}`;
  const extra = [...ids].find((id) => !wanted.has(id));
  return extra === undefined ? undefined : `exempts ${extra}, too`;
}
