import { assignedFunctions, basisOf, isUnprotected } from '../../decision/protection.js';
import type { Decision } from '../../decision/decision.js';
import type { Journal } from '../../store/journal.js';
import type { EventKind } from '../../store/records.js';
import type { DomainRegistry } from '../domain-registry.js';
import { decodeError } from '../rpc/libvirt-error.js';
import { readDomainRef, type DomainRef } from '../rpc/types.js';
import { XdrReader } from '../rpc/xdr-reader.js';
import type { FailureMode } from '../../config/settings.js';
import type { Judgement } from './call-judge.js';
import type { ProxyOutcome } from './call-outcome.js';
import type { LocatedCall } from './locate-xml.js';
import type { SessionObserver } from './proxy-session.js';

export interface CallRecorderParts {
  journal: Pick<Journal, 'event'>;
  registry: DomainRegistry;
  host: string;
  clock: () => Date;
  count: (outcome: ProxyOutcome) => void;
}

/** Writes down what became of the calls that the proxy judged. */
export class CallRecorder implements SessionObserver {
  constructor(private readonly parts: CallRecorderParts) {}

  judged({ call, domain }: LocatedCall, judgement: Judgement): void {
    const { decision } = judgement;
    if (judgement.action === 'refuse') {
      this.tell('refused', `${call.operation}: ${judgement.message}`, decision, domain);
    } else if (judgement.rewritten) this.parts.count('rewritten');
    else this.parts.count(decision ? 'unchanged' : 'passed');
  }

  answered({ call, domain }: LocatedCall, judgement: Judgement, ok: boolean, reply: Buffer): void {
    const { decision } = judgement;
    if (!decision) return;
    const defines = call.operation === 'define' || call.operation === 'create';
    // A document may leave its UUID to libvirt, which tells it only now.
    const concerned = ok && defines ? readDomainRef(new XdrReader(reply)) : domain;
    if (ok && defines) this.takeInForce(concerned!, call.operation, decision);
    // Of domains without assigned devices there is nothing to tell, and most are such.
    if (decision.devices.length === 0) return;
    if (judgement.action === 'forward' && judgement.rewritten) {
      const edits = decision.edits.map(({ target, summary }) => `${target}: ${summary}`).join('; ');
      this.tell('rewritten', `${call.operation}: ${edits}`, decision, concerned);
    }
    if (ok) this.tell('accepted', `libvirt took the ${call.operation}`, decision, concerned);
    else this.tell('rejected', `${call.operation}: ${messageIn(reply)}`, decision, concerned);
  }

  refused(): void {
    this.parts.count('refused');
  }

  /** No decision could be made about a call. */
  failed(mode: FailureMode, { call, domain }: LocatedCall, error: unknown): void {
    const kind = mode === 'open' ? 'failed-open' : 'failed-closed';
    this.parts.count(kind);
    const reason = error instanceof Error ? error.message : String(error);
    this.tell(kind, `${call.operation}: ${reason}`, undefined, domain);
  }

  private takeInForce({ name, uuid }: DomainRef, operation: string, decision: Decision): void {
    this.parts.registry.change(uuid, name, {
      ...(operation === 'define' ? { persistent: true } : { active: true, state: 'has-run' as const }),
      decisionId: decision.id,
      verdict: decision.verdict,
      basis: basisOf(decision),
      // The edits were made; what is open beside them stays open.
      unprotected: isUnprotected({ ...decision, edits: [] }),
      devices: assignedFunctions(decision),
    });
  }

  private tell(kind: EventKind, detail: string, decision?: Decision, domain?: DomainRef): void {
    const uuid = domain?.uuid ?? decision?.domain.uuid;
    const name = domain?.name ?? decision?.domain.name;
    this.parts.journal.event({
      host: this.parts.host,
      at: this.parts.clock().toISOString(),
      kind,
      detail,
      ...(decision && { decisionId: decision.id }),
      ...(uuid !== undefined && { domainUuid: uuid }),
      ...(name !== undefined && { domainName: name }),
    });
  }
}

function messageIn(reply: Buffer): string {
  try {
    return decodeError(reply).message;
  } catch {
    return 'libvirt refused it';
  }
}
