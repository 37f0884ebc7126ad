import { statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { LocatedError } from '../located-error.js';

/**
 * Where libvirt listens now: in `upstream/` beside `path` once `takeover.sh` has moved it there, at `path` otherwise.
 * To be asked at each connection, since the takeover happens while the service runs.
 *
 * @param ownSockets where the proxy's clients come in
 * @throws LocatedError where libvirt's place is one of these: every call would come back as another one
 */
export function upstreamSocket(path: string, ownSockets: readonly string[]): string {
  const moved = join(dirname(path), 'upstream', basename(path));
  const upstream = fileAt(moved) === undefined ? path : moved;
  const file = fileAt(upstream);
  for (const own of ownSockets.map(fileAt)) {
    if (file !== undefined && file.ino === own?.ino && file.dev === own.dev) {
      throw new LocatedError(
        "the proxy's own socket is in libvirt's place, and libvirt's is nowhere",
        upstream,
        'Run deploy/takeover.sh --back, restart libvirt, and take over again.',
      );
    }
  }
  return upstream;
}

function fileAt(path: string) {
  return statSync(path, { throwIfNoEntry: false });
}
