/** Names under which controllers get what is no class. */
export const HOST_NAME = Symbol('HOST_NAME');
export const VERSION = Symbol('VERSION');
export const JOURNAL = Symbol('JOURNAL');
export const HOST_SWITCH = Symbol('HOST_SWITCH');
export const PARAMETERS = Symbol('PARAMETERS');
export const POLICY_CONTROL = Symbol('POLICY_CONTROL');
export const COMPONENTS = Symbol('COMPONENTS');
