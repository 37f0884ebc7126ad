import { MECHANISMS } from '../mitigation/mechanism.js';

/** `off`: not looked at. `observe`: decided and recorded, nothing changed. `enforce`: changed. */
export const MODES = ['off', 'observe', 'enforce'] as const;
export type Mode = (typeof MODES)[number];

/** When the guest-visible topology may change: never, only for a domain that has not run yet, or always. */
export const CHANGE_PERMISSIONS = ['never', 'before-first-run', 'always'] as const;
export type ChangePermission = (typeof CHANGE_PERMISSIONS)[number];

/** What to do with a required exposure that no allowed mechanism closes. */
export const UNCOVERED_ACTIONS = ['warn', 'deny'] as const;
export type UncoveredAction = (typeof UNCOVERED_ACTIONS)[number];

/** What becomes of a running domain whose QEMU is seen without the config filter that it relies on. */
export const UNVERIFIED_ACTIONS = ['alarm', 'stop'] as const;
export type UnverifiedAction = (typeof UNVERIFIED_ACTIONS)[number];

/** How exactly the risk database knows the device: by its ids, or by its class only. */
export const KNOWLEDGE = ['device', 'class'] as const;
export type Knowledge = (typeof KNOWLEDGE)[number];

/** The mechanisms that a rule may name; `deny` follows from `uncovered`. */
export const ALLOWED_MECHANISMS = MECHANISMS.filter((name) => name !== 'deny');
