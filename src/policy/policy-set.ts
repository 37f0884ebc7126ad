import type { ExemptionSpec } from './exemption-document.js';
import type { PolicyRule } from './policy-document.js';
import type { Scope } from './selectors.js';

/** A rule with where it stands, as decisions name it. */
export interface PlacedRule {
  policy: string;
  /** Absolute or relative path as it was loaded. */
  file: string;
  rule: PolicyRule;
  /** Of its document; absent: everywhere. */
  scope?: Scope;
}

/** An exemption with where it stands, as decisions name it. */
export interface PlacedExemption extends ExemptionSpec {
  name: string;
  file: string;
}

/** Where a revision comes from; absent fields are not known, or there are none. */
export interface Provenance {
  /** Of Git, 40 hexadecimal digits. */
  commit?: string;
  /** Whose signature of the commit was verified: a principal of the allowed signers, or a fingerprint with the user id. */
  signer?: string;
}

/** All rules, in order, and all exemptions; and the revision that decisions name. */
export interface PolicySet extends Provenance {
  /** SHA-256 of what rules and exemptions say. */
  revision: string;
  rules: readonly PlacedRule[];
  exemptions?: readonly PlacedExemption[];
}

/** Who decides: what scopes and rollouts go by. */
export interface PolicyNode {
  name: string;
  /** Each as `key=value`. */
  labels: readonly string[];
}
