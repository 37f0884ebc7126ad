import type { IncomingMessage } from 'node:http';

/** `read` asks; `operate` also changes; `sync` may only say that there are new policies. */
export const ROLES = ['read', 'operate', 'sync'] as const;
export type Role = (typeof ROLES)[number];

/** Who sent a request, as far as we can tell. */
export interface Caller {
  /** As events name it: `unix`, `token:NAME`. */
  actor: string;
  role: Role;
}

/** Whoever can open the unix socket: its mode and group are the access control, so it may do everything. */
export const UNIX_CALLER: Caller = { actor: 'unix', role: 'operate' };

const callers = new WeakMap<IncomingMessage, Caller>();

/** Says who sent a request: what accepted the connection knows, or whoever checked the token. */
export function introduce(request: IncomingMessage, caller: Caller): void {
  callers.set(request, caller);
}

/** Undefined for a request that nobody has vouched for. */
export function callerOf(request: IncomingMessage): Caller | undefined {
  return callers.get(request);
}
