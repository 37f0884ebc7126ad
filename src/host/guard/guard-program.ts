import { execFile, spawnSync } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { promisify } from 'node:util';
import { LocatedError } from '../../located-error.js';
import type { Mode } from '../../policy/policy-terms.js';
import { readGuardStatus, type GuardedPlace, type GuardStatus } from './guard-status.js';

/** The rules of one function, as `warden-guard apply` takes them. */
export interface GuardRules {
  /** BDF. */
  device: string;
  mode: Mode;
  /** Text form. */
  rules: string;
}

/** Milliseconds: a start of a VM waits for `apply`. */
const APPLY_TIMEOUT_MS = 5_000;
/** Loading and verifying the program takes longest. */
const ATTACH_TIMEOUT_MS = 60_000;
const MAX_ANSWER_BYTES = 64 << 20;

const run = promisify(execFile);

/** The guard in the kernel, by way of its program `warden-guard`. */
export class GuardProgram {
  constructor(readonly path: string) {}

  /**
   * Attaches the guard where it is not attached yet.
   *
   * @throws LocatedError with the kernel's or libbpf's own words
   */
  async attach(mode: Mode): Promise<'now' | 'before'> {
    const answer = await this.ask(['attach', '--mode', mode], ATTACH_TIMEOUT_MS);
    return answer['attached'] === 'now' ? 'now' : 'before';
  }

  /** @throws LocatedError where it cannot be asked */
  async status(): Promise<GuardStatus> {
    return readGuardStatus(await this.ask(['status']));
  }

  /** @throws LocatedError where it cannot be asked, or is not attached */
  async places(): Promise<GuardedPlace[]> {
    return (await this.ask(['places']))['places'] as GuardedPlace[];
  }

  /**
   * Gives functions their rules, each as a whole, before it returns: what comes next may open the device.
   *
   * @throws LocatedError where the rules are not in force now
   */
  apply(devices: readonly GuardRules[]): void {
    this.change({ devices });
  }

  /**
   * Takes the rules of functions away before it returns: the host's standard holds for them then. One without rules stays so.
   *
   * @param devices BDFs
   * @throws LocatedError where they keep their rules
   */
  remove(devices: readonly string[]): void {
    this.change({ remove: devices });
  }

  /** @throws LocatedError where it stays as it was */
  async setMode(mode: Mode): Promise<void> {
    await this.ask(['mode', mode]);
  }

  private change(document: { devices: readonly GuardRules[] } | { remove: readonly string[] }): void {
    const { error, stdout, stderr } = spawnSync(this.path, ['apply'], {
      input: JSON.stringify(document),
      encoding: 'utf8',
      timeout: APPLY_TIMEOUT_MS,
      maxBuffer: MAX_ANSWER_BYTES,
    });
    if (error) throw this.unusable(error);
    this.read(stdout, stderr);
  }

  private async ask(argument: string[], timeout = APPLY_TIMEOUT_MS): Promise<Record<string, unknown>> {
    try {
      // To find out by a new process that it is not there would hold up everybody for as long as that takes.
      await access(this.path, constants.X_OK);
      const { stdout, stderr } = await run(this.path, argument, { timeout, maxBuffer: MAX_ANSWER_BYTES });
      return this.read(stdout, stderr);
    } catch (error) {
      if (error instanceof LocatedError) throw error;
      const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
      if (stdout !== '' || stderr !== '') return this.read(stdout, stderr);
      throw this.unusable(error);
    }
  }

  private read(stdout: string, stderr: string): Record<string, unknown> {
    let answer: Record<string, unknown>;
    try {
      answer = JSON.parse(stdout) as Record<string, unknown>;
    } catch {
      // The dynamic linker says so where libbpf or json-c is missing.
      throw new LocatedError(
        `it gave no answer: ${(stderr || stdout).trim().slice(0, 300) || 'it ended without a word'}`,
        this.path,
        'Install libbpf1 and libjson-c5, or the package anew.',
      );
    }
    if (answer['ok'] === true) return answer;
    const problem = `${String(answer['step'])}: ${String(answer['problem'])}`;
    throw new LocatedError(problem, this.path, 'See "The kernel guard" in docs/runbook.md.');
  }

  private unusable(error: unknown): LocatedError {
    const { code, message } = error as NodeJS.ErrnoException;
    const problem = code === 'ENOENT' ? 'it is not installed' : `it cannot be run: ${code ?? message}`;
    return new LocatedError(problem, this.path, 'Install warden-guard, see kernel/guard/README.md.');
  }
}
