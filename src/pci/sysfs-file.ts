import { constants } from 'node:fs';
import { open, readlink, realpath } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { LocatedError } from '../located-error.js';

/** A sysfs attribute is at most one page (`sysfs_emit`); what is longer is no sysfs attribute. */
const MAX_ATTRIBUTE_BYTES = 4096;

export const NOT_SYSFS = 'This is not what the kernel exports: check that the root is a sysfs.';

const REMEDIES: Record<string, string> = {
  ENOENT: 'The device may have been removed meanwhile: read the inventory again.',
  ENODEV: 'The device may have been removed meanwhile: read the inventory again.',
  EACCES: 'Run as root.',
  EPERM: 'Run as root.',
  EIO: 'The device does not answer: look at the kernel log; it may need a reset or a power cycle.',
};

/** Says why a file of sysfs could not be read; `cause` is the error, or its code. */
export function sysfsFailure(path: string, cause: unknown): LocatedError {
  const code = typeof cause === 'string' ? cause : errorCode(cause);
  return new LocatedError(
    code === 'ENOENT' ? 'it does not exist' : `it cannot be read (${code ?? 'unknown error'})`,
    path,
    REMEDIES[code ?? ''] ?? NOT_SYSFS,
  );
}

function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** Makes text from outside fit for a message: at most 40 characters, none of them a control character. */
export function printable(text: string): string {
  return text.slice(0, 40).replace(/[^\x20-\x7e]/g, '?');
}

/**
 * Reads a text attribute, without its final newline; undefined where it does not exist. It reads at most a page and
 * never blocks on something that only looks like an attribute (a FIFO).
 *
 * @throws LocatedError where it cannot be read, is no regular file, or is longer than a page
 */
export async function readAttribute(path: string): Promise<string | undefined> {
  const buffer = Buffer.alloc(MAX_ATTRIBUTE_BYTES + 1);
  let length: number;
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      if (!(await file.stat()).isFile()) throw notSysfs('it is not a regular file', path);
      length = (await file.read(buffer, 0, buffer.length, 0)).bytesRead;
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof LocatedError) throw error;
    const code = errorCode(error);
    if (code === 'ENOENT') return undefined;
    throw sysfsFailure(path, code);
  }
  if (length > MAX_ATTRIBUTE_BYTES) throw notSysfs(`it is longer than ${MAX_ATTRIBUTE_BYTES} bytes`, path);
  return buffer.toString('latin1', 0, length).replace(/\n$/, '');
}

/**
 * Follows a link such as `driver` and gives the name of what it points to; undefined where there is no link. The
 * target must exist and sit in a directory of the name `parent`, as the kernel's do.
 *
 * @throws LocatedError where the link is broken, loops, or points elsewhere
 */
export async function readLinkName(path: string, parent?: string): Promise<string | undefined> {
  let target: string;
  try {
    await readlink(path);
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT') return undefined;
    throw code === 'EINVAL' ? notSysfs('it is not a link', path) : sysfsFailure(path, code);
  }
  try {
    target = await realpath(path);
  } catch (error) {
    const code = errorCode(error);
    throw code === 'ENOENT' ? notSysfs('it points to nothing', path) : sysfsFailure(path, code);
  }
  if (parent !== undefined && basename(dirname(target)) !== parent) {
    throw notSysfs(`it does not point into a directory named ${parent}`, path);
  }
  return basename(target);
}

function notSysfs(problem: string, path: string): LocatedError {
  return new LocatedError(problem, path, NOT_SYSFS);
}
