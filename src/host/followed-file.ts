import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { LocatedError } from '../located-error.js';

export interface FollowedFileOptions {
  path: string;
  /** A larger file is refused. */
  maxBytes: number;
  /** Called with each new content; undefined where there is no file. */
  onText(text: string | undefined): void;
  /** Called once for each new reason why the file cannot be read. */
  onProblem(problem: LocatedError): void;
}

/** How long a change may go unnoticed, in milliseconds. */
const INTERVAL_MS = 500;

/**
 * Follows the content of a small file that people and programs write, replace or remove. It is read anew each time:
 * notifications of the kernel miss what is done through links and mounts, and time stamps are too coarse.
 */
export class FollowedFile {
  private last: string | undefined;
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> = Promise.resolve();

  constructor(private readonly options: FollowedFileOptions) {}

  /** Looks now, and twice a second from then on. */
  async start(): Promise<void> {
    await this.look();
    this.timer = setInterval(() => void this.look(), INTERVAL_MS);
    this.timer.unref();
  }

  /** Looks now; what was written before the call has been told when the promise resolves. */
  look(): Promise<void> {
    // In a row: an older reading must not be told after a newer one.
    this.looking = this.looking.then(() => this.readAndTell());
    return this.looking;
  }

  close(): void {
    clearInterval(this.timer);
  }

  private async readAndTell(): Promise<void> {
    const { path, maxBytes, onText, onProblem } = this.options;
    try {
      const text = await readSmallFile(path, maxBytes);
      if (this.isNew(text === undefined ? 'absent' : `text ${text}`)) onText(text);
    } catch (error) {
      if (!(error instanceof LocatedError)) throw error;
      if (this.isNew(`problem ${error.message}`)) onProblem(error);
    }
  }

  private isNew(seen: string): boolean {
    const changed = seen !== this.last;
    this.last = seen;
    return changed;
  }
}

/**
 * The text of a regular file of at most `maxBytes`; undefined where there is none.
 *
 * @throws LocatedError where it is something else, too large, writable by everybody, no UTF-8, or cannot be read
 */
async function readSmallFile(path: string, maxBytes: number): Promise<string | undefined> {
  try {
    // Without NONBLOCK a pipe in this place would be waited for.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stat = await file.stat();
      if (!stat.isFile()) throw new LocatedError('it is not a regular file', path, 'Remove it.');
      if (stat.mode & 0o002) {
        throw new LocatedError('everybody may write to it', path, `Run chmod o-w ${path}.`);
      }
      const buffer = Buffer.alloc(maxBytes + 1);
      let length = 0;
      for (let got = 1; got > 0 && length < buffer.length; length += got) {
        got = (await file.read(buffer, length, buffer.length - length, length)).bytesRead;
      }
      if (length > maxBytes) {
        throw new LocatedError(`it is larger than ${maxBytes} bytes`, path, 'Shorten it.');
      }
      return new TextDecoder('utf-8', { fatal: true }).decode(buffer.subarray(0, length));
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof LocatedError) throw error;
    if (error instanceof TypeError) {
      throw new LocatedError('it is not valid UTF-8', path, 'Convert it to UTF-8.');
    }
    const code = error instanceof Error && 'code' in error ? error.code : error;
    if (code === 'ENOENT') return undefined;
    throw new LocatedError(`it cannot be read (${code})`, path, 'Check the path and the permissions.');
  }
}
