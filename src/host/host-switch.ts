import { withoutControls } from '../documents/located-yaml.js';
import { LocatedError } from '../located-error.js';
import { MODES, type Mode } from '../policy/policy-terms.js';
import { writeAtomically } from './atomic-file.js';
import { FollowedFile } from './followed-file.js';

/** The switch of the host: lowers the mode of every policy rule to at most this. */
export interface HostSwitch {
  readonly mode: Mode;
  /** Who says so: the file in the state directory, or the configuration where there is no such file. */
  readonly source: 'file' | 'configuration';
  /** Why the file does not count now; undefined where all is well. */
  readonly problem: LocatedError | undefined;
  /** @throws LocatedError where it cannot be kept */
  set(mode: Mode): Promise<void>;
}

export interface ModeChange {
  from: Mode;
  to: Mode;
  source: HostSwitch['source'];
  /** Whether somebody wrote or removed the file, rather than calling `set`. */
  byHand: boolean;
}

export interface FileHostSwitchOptions {
  /** The file that holds the mode in one word; need not exist. */
  file: string;
  /** What holds where there is no file. */
  configured: Mode;
  onChange?: (change: ModeChange) => void;
  onProblem?: (problem: LocatedError) => void;
}

/** Longer than any mode with white space around it. */
const MAX_BYTES = 64;

/**
 * A switch that is a file with one word, so that it works when the API does not: `echo off > FILE` acts within a second,
 * and removing the file gives the configuration its say again. A file that cannot be understood changes nothing.
 */
export class FileHostSwitch implements HostSwitch {
  private readonly followed: FollowedFile;
  private asked: Mode | undefined;
  mode: Mode;
  source: HostSwitch['source'] = 'configuration';
  problem: LocatedError | undefined;

  private constructor(private readonly options: FileHostSwitchOptions) {
    this.mode = options.configured;
    this.followed = new FollowedFile({
      path: options.file,
      maxBytes: MAX_BYTES,
      onText: (text) => this.take(text),
      onProblem: (problem) => this.refuse(problem),
    });
  }

  /** Reads the file, and follows it from then on. `onChange` is also called for what the file says at first. */
  static async open(options: FileHostSwitchOptions): Promise<FileHostSwitch> {
    const hostSwitch = new FileHostSwitch(options);
    await hostSwitch.followed.start();
    return hostSwitch;
  }

  async set(mode: Mode): Promise<void> {
    this.asked = mode;
    try {
      await writeModeFile(this.options.file, mode);
      await this.followed.look();
    } finally {
      this.asked = undefined;
    }
  }

  close(): void {
    this.followed.close();
  }

  private take(text: string | undefined): void {
    if (text === undefined) return this.apply(this.options.configured, 'configuration');
    const mode = MODES.find((known) => known === text.trim());
    if (mode) return this.apply(mode, 'file');
    const word = withoutControls(text).trim().slice(0, 20);
    this.refuse(
      new LocatedError(
        word ? `"${word}" is no mode` : 'it is empty',
        this.options.file,
        `Write ${MODES.join(', ')} into it, or remove it. Until then the mode stays ${this.mode}.`,
      ),
    );
  }

  private apply(mode: Mode, source: HostSwitch['source']): void {
    const from = this.mode;
    this.problem = undefined;
    this.mode = mode;
    this.source = source;
    if (from !== mode) this.options.onChange?.({ from, to: mode, source, byHand: mode !== this.asked });
  }

  private refuse(problem: LocatedError): void {
    this.problem = problem;
    this.options.onProblem?.(problem);
  }
}

/**
 * Writes the mode so that a reader, and a host that loses power, finds the old word or the new one.
 *
 * @throws LocatedError where it cannot be written
 */
export async function writeModeFile(path: string, mode: Mode): Promise<void> {
  try {
    await writeAtomically(path, `${mode}\n`);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : error;
    throw new LocatedError(
      `the mode cannot be written (${code})`,
      path,
      'Check the disk and the permissions of its directory.',
    );
  }
}
