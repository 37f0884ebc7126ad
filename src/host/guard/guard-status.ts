import { MODES, type Mode } from '../../policy/policy-terms.js';

/** What the guard counted of one function. */
export interface GuardedDevice {
  /** BDF. */
  device: string;
  /** Absent where the function has no rules of its own, so that the host's standard holds. */
  mode?: Mode;
  /** Text form, see `src/mitigation/access-rules/`. */
  rules?: string;
  /** Accesses that the guard has judged, blocked and observed (would have blocked), since its counters were made. */
  judged: number;
  blocked: number;
  observed: number;
  /** Of those: accesses that could not be judged. */
  unjudged: number;
  /** Milliseconds since 1970: the first access that was judged; absent before it. */
  firstAt?: number;
  /** Milliseconds since 1970: the last access that was judged; absent before the first. */
  lastAt?: number;
}

/** What `warden-guard status` says. */
export interface GuardStatus {
  /** Whether all programs are pinned, and so in force whatever becomes of any process. */
  attached: boolean;
  /** Pins that should be there and are not. */
  missing: string[];
  /** Whether the hook has just seen an access that only it can answer. */
  tested: boolean;
  /** Tag of the program in the kernel, 16 hexadecimal digits. */
  program?: string;
  mode?: Mode;
  devices: GuardedDevice[];
}

/** One place of a function that was accessed and blocked, or would have been. */
export interface GuardedPlace {
  device: string;
  access: 'read' | 'write';
  /** `cfg`, `bar0` to `bar5`, or `none` for what has no place. */
  region: string;
  /** In bytes; of an ioctl its number. */
  offset: number;
  outcome: 'blocked' | 'observed';
  reason: string;
  count: number;
  /** Milliseconds since 1970. */
  firstAt: number;
  lastAt: number;
}

/** @throws TypeError where the answer is not what this version of warden-guard gives */
export function readGuardStatus(answer: Record<string, unknown>): GuardStatus {
  const { attached, tested, missing, program, host, devices = [] } = answer;
  if (typeof attached !== 'boolean' || typeof tested !== 'boolean' || !Array.isArray(devices)) {
    throw new TypeError('warden-guard answered something else than a status');
  }
  const mode = modeOf((host as Record<string, unknown> | undefined)?.['mode']);
  return {
    attached,
    tested,
    missing: Array.isArray(missing) ? missing.map(String) : [],
    ...(typeof program === 'string' && { program }),
    ...(mode && { mode }),
    devices: devices.map(readDevice),
  };
}

function readDevice(value: unknown): GuardedDevice {
  const { device, mode, rules, judged, blocked, observed, unjudged, firstAt, lastAt } = value as Record<
    string,
    unknown
  >;
  const known = modeOf(mode);
  return {
    device: String(device),
    ...(known && { mode: known }),
    ...(typeof rules === 'string' && { rules }),
    judged: Number(judged),
    blocked: Number(blocked),
    observed: Number(observed),
    unjudged: Number(unjudged),
    ...(typeof firstAt === 'number' && { firstAt }),
    ...(typeof lastAt === 'number' && { lastAt }),
  };
}

function modeOf(value: unknown): Mode | undefined {
  return MODES.find((mode) => mode === value);
}
