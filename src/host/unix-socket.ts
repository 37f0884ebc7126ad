import { chown, lstat, mkdir, rm } from 'node:fs/promises';
import { connect, type Server } from 'node:net';
import { dirname } from 'node:path';
import { groupId } from './group-id.js';
import { LocatedError } from '../located-error.js';

/** Bytes: `sun_path` has 108 with the final zero, and a longer one would be cut without a word. */
const MAX_PATH_BYTES = 107;

/**
 * Listens on a unix socket, whose mode and group are its access control.
 *
 * @param group that shall have it; without it the group of this process
 * @param mode permission bits, from the first moment on
 * @throws LocatedError where it cannot, something else is at that path, or another process answers there
 */
export async function listenOnUnixSocket(
  server: Server,
  path: string,
  group?: string,
  mode = 0o660,
): Promise<void> {
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) {
    throw new LocatedError(`it has more than ${MAX_PATH_BYTES} bytes`, path, 'Name a shorter path.');
  }
  const gid = group === undefined ? undefined : await groupId(group);
  try {
    await mkdir(dirname(path), { recursive: true });
    await removeOldSocket(path);
    await bind(server, path, mode);
    if (gid !== undefined) await chown(path, process.getuid!(), gid);
  } catch (error) {
    if (error instanceof LocatedError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw new LocatedError(
      `it cannot be listened on (${code})`,
      path,
      'Check the directory and its permissions.',
    );
  }
}

function bind(server: Server, path: string, mode: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    // Bound within the call, so that the socket never is there with a wider mode.
    const before = process.umask(0o777 & ~mode);
    try {
      server.listen(path, resolve);
    } finally {
      process.umask(before);
    }
  });
}

/** A socket that an earlier run left is in the way; one that answers, or another file, is somebody's. */
async function removeOldSocket(path: string): Promise<void> {
  const present = await lstat(path).catch(() => undefined);
  if (!present) return;
  if (!present.isSocket()) {
    throw new LocatedError('it is there already, and no socket', path, 'Remove it, or name another path.');
  }
  if (await answers(path)) {
    throw new LocatedError('another process listens there', path, 'Stop it, or name another path.');
  }
  await rm(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    // A queue that is full is somebody's, too.
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EAGAIN'));
  });
}
