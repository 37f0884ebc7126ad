/** The phases in which libvirt's hook asks, each at its `begin`. */
export const HOOK_OPERATIONS = ['prepare', 'start', 'migrate', 'restore'] as const;
export type HookOperation = (typeof HOOK_OPERATIONS)[number];

/** What the hook asks. */
export interface HookCall {
  operation: HookOperation;
  /** The domain as libvirt hands it to its hook. */
  xml: string;
}

/** What the hook does: let the domain go on as it is, stop it, or (`migrate` and `restore`) go on with another document. */
export type HookAnswer =
  /** `failed`: no decision could be made, and the failure mode says so. */
  | { action: 'proceed'; failed?: true }
  /** `reason` is one line, which libvirt passes on to its client. */
  | { action: 'veto'; reason: string; failed?: true }
  | { action: 'replace'; xml: string };
