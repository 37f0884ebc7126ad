/** What became of a call of a libvirt client. `passed`: it brings no domain in, so there was nothing to decide. */
export const PROXY_OUTCOMES = [
  'passed',
  'unchanged',
  'rewritten',
  'refused',
  'failed-open',
  'failed-closed',
] as const;
export type ProxyOutcome = (typeof PROXY_OUTCOMES)[number];
