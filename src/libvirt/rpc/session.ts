import type { Connection } from './connection.js';
import type { KeepaliveSettings } from './keepalive.js';
import { ERROR_CODE, ERROR_DOMAIN, LibvirtError } from './libvirt-error.js';
import { PROCEDURE } from './procedures.js';

/** `remote_auth_type` */
const AUTH = { none: 0, polkit: 2 } as const;
/** `VIR_DRV_FEATURE_PROGRAM_KEEPALIVE` */
const FEATURE_KEEPALIVE = 10;
/** `VIR_CONNECT_RO` */
const READ_ONLY = 1;

export interface SessionOptions {
  uri: string;
  readOnly: boolean;
  keepalive: KeepaliveSettings | false;
}

/** What libvirt wants to hear before any call; on failure the connection is closed. */
export async function openSession(connection: Connection, options: SessionOptions): Promise<void> {
  try {
    await authenticate(connection);
    const keepalive = options.keepalive;
    const asked = keepalive && (await connection.call(PROCEDURE.supportsFeature, FEATURE_KEEPALIVE));
    await connection.call(PROCEDURE.open, options.uri, options.readOnly ? READ_ONLY : 0);
    if (asked) connection.startKeepalive(keepalive);
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** polkit decides by the peer's process, as libvirt sees it: there is nothing to be sent but the wish to be let in. */
async function authenticate(connection: Connection): Promise<void> {
  const [wanted] = await connection.call(PROCEDURE.authList);
  if (wanted === AUTH.none) return;
  if (wanted !== AUTH.polkit) {
    throw authenticationError(`authentication of type ${wanted} is not supported; use "none" or "polkit"`);
  }
  if (!(await connection.call(PROCEDURE.authPolkit))) {
    throw authenticationError('polkit has not let this process in');
  }
}

function authenticationError(message: string): LibvirtError {
  return new LibvirtError({ code: ERROR_CODE.authFailed, domain: ERROR_DOMAIN.remote, message });
}
