import type { PolicyStatus, SyncOutcome } from '../policy/activation/policy-status.js';

/** What the API shows and steers of policies. */
export interface PolicyControl {
  status(): PolicyStatus;
  sync(): Promise<SyncOutcome>;
  /** @throws SourceRefusal where that revision does not wait */
  approve(key: string, actor: string): Promise<SyncOutcome>;
  /** @throws SourceRefusal where this host has no such revision */
  pin(key: string, actor: string): Promise<SyncOutcome>;
  unpin(actor: string): Promise<SyncOutcome>;
}
