import type { FailureMode } from '../../config/settings.js';
import type { DecideResult } from '../../decision/decide.js';
import type { RecordedRequest } from '../../store/decision-recorder.js';
import type { Decision } from '../../decision/decision.js';
import type { Occasion } from '../../decision/occasion.js';
import { assignedFunctions, restrictedPlaces } from '../../decision/protection.js';
import { readDomain, type DomainDocument } from '../../domain-xml/domain-document.js';
import type { Mode } from '../../policy/policy-terms.js';
import type { Journal } from '../../store/journal.js';
import type { EventKind } from '../../store/records.js';
import type { DomainPast } from '../domain-registry.js';
import type { StartKnowledge } from '../hooked-starts.js';
import type { HookAnswer, HookCall, HookOperation } from './hook-answer.js';
import { IncomingDomains } from './incoming-domains.js';
import { mayAssign } from './may-assign.js';
import {
  denialReason,
  describeLacks,
  describeUncovered,
  lackReason,
  printable,
  unarmedReason,
  unmatchedReason,
} from '../../decision/refusal.js';

/** What the hook's judgement rests on. None of it may ask libvirt: the domain is locked while its hook runs. */
export interface HookPorts {
  recorder: { decide(request: RecordedRequest, occasion: Occasion): DecideResult };
  domains: { pastOf(uuid: string | undefined, name: string): DomainPast };
  journal: Pick<Journal, 'event'>;
  /** Gives the domain's functions their rules in the kernel guard; tells what went wrong. */
  arm?: (decision: Decision) => { problem: string } | undefined;
  /** Where the reconciler learns of starts. */
  starts: StartKnowledge;
  /** Libvirt networks that hand out host functions, as they are known now. */
  hostdevNetworks: () => readonly string[];
  /** The host's switch now. */
  hostMode: () => Mode;
  clock: () => Date;
}

export interface HookOptions {
  /** Name of this node in events. */
  host: string;
  /** What is done with a domain with assigned devices that lacks what policy asks for, or cannot be judged. */
  failure: FailureMode;
  /** What is done with an incoming domain that cannot be protected here. */
  incoming: 'warn' | 'refuse';
  /** Where clients find the proxy; for what is said to them. */
  proxySocket: string;
}

const PROCEED: HookAnswer = { action: 'proceed' };

/**
 * Judges domains that are about to start or to come in: the last gate, for whatever went around the proxy. It decides
 * afresh and trusts no mark in the document. Never throws, and never stops a domain unless the host's switch is at
 * `enforce`.
 */
export class HookService {
  private readonly incoming: IncomingDomains;

  constructor(
    private readonly ports: HookPorts,
    private readonly options: HookOptions,
  ) {
    this.incoming = new IncomingDomains(ports.clock);
  }

  judge(call: HookCall): HookAnswer {
    let document: DomainDocument | undefined;
    try {
      document = readDomain(call.xml);
      return this.judgeDocument(call, document);
    } catch (error) {
      return this.fail(call, document, error);
    }
  }

  private judgeDocument({ operation, xml }: HookCall, document: DomainDocument): HookAnswer {
    const domain = document.uuid ?? document.name;
    const arriving = operation === 'migrate' || operation === 'restore';
    const fixed = arriving || this.incoming.has(domain);
    if (fixed && operation !== 'start') this.incoming.add(domain);
    else this.incoming.delete(domain);

    const { state, ranRestricted } = this.ports.domains.pastOf(document.uuid, document.name);
    const result = this.ports.recorder.decide(
      {
        xml,
        document,
        domainState: state,
        ranRestricted,
        guestHardware: fixed ? 'fixed' : 'may-change',
        hostdevNetworks: this.ports.hostdevNetworks(),
      },
      { surface: 'hook', operation },
    );
    const { decision } = result;
    if (decision.verdict === 'denied') return this.veto(decision, denialReason(decision));
    // The last that happens before QEMU may open a device.
    const unarmed = operation === 'start' ? this.ports.arm?.(decision) : undefined;
    if (unarmed && this.options.failure === 'closed')
      return this.veto(decision, unarmedReason(decision, unarmed));
    if (unarmed) this.tell('started-unprotected', decision.domain, unarmed.problem, decision.id);
    return arriving ? this.letIn(operation, result) : this.letStart(operation, decision, fixed);
  }

  /** A domain that would still be edited lacks what policy asks for: it went around the proxy. */
  private letStart(operation: HookOperation, decision: Decision, fixed: boolean): HookAnswer {
    const lacks = decision.edits.length > 0;
    if (lacks && this.options.failure === 'closed') {
      return this.veto(decision, lackReason(decision, this.options.proxySocket));
    }
    // A guest that comes with its memory cannot be given what it lacks, so that no edit says so.
    const unprotected = !lacks && fixed ? describeUncovered(decision) : describeLacks(decision);
    // Once a start: `prepare` came before with much the same document.
    if (operation === 'start') this.noteStart(decision, unprotected);
    return PROCEED;
  }

  private noteStart(decision: Decision, unprotected: string): void {
    const { uuid } = decision.domain;
    const { told, places } = this.ports.starts;
    if (unprotected !== '') this.tell('started-unprotected', decision.domain, unprotected, decision.id);
    if (uuid === undefined) return;
    if (unprotected !== '') told.add(uuid, true);
    places.add(uuid, { devices: assignedFunctions(decision), restricted: restrictedPlaces(decision) });
  }

  private letIn(operation: HookOperation, { decision, xml }: DecideResult): HookAnswer {
    if (operation === 'migrate' && this.options.incoming === 'refuse' && describeUncovered(decision) !== '') {
      return this.veto(decision, unmatchedReason(decision));
    }
    return decision.edits.length === 0 ? PROCEED : { action: 'replace', xml };
  }

  private veto(decision: Decision, reason: string): HookAnswer {
    this.incoming.delete(decision.domain.uuid ?? decision.domain.name);
    this.tell('vetoed', decision.domain, reason, decision.id);
    return { action: 'veto', reason };
  }

  /** The document could not be read, or judged. */
  private fail(
    { operation, xml }: HookCall,
    document: DomainDocument | undefined,
    error: unknown,
  ): HookAnswer {
    // What a network gives is chosen after `prepare`; at `start` it is an interface of its own kind.
    const concerned = document
      ? document.assignedDevices.some(({ carrier }) => carrier !== 'network')
      : mayAssign(xml);
    if (!concerned) return PROCEED;
    const problem = error instanceof Error ? error.message : String(error);
    const reason = printable(`vfio-warden: this domain with assigned devices cannot be judged: ${problem}`);
    const open = this.options.failure === 'open' || this.ports.hostMode() !== 'enforce';
    const detail = `${operation}: ${reason}`;
    this.tell(open ? 'failed-open' : 'failed-closed', document ?? {}, detail);
    return open ? { action: 'proceed', failed: true } : { action: 'veto', reason, failed: true };
  }

  private tell(
    kind: EventKind,
    { name, uuid }: { name?: string; uuid?: string | undefined },
    detail: string,
    decisionId?: string,
  ): void {
    this.ports.journal.event({
      host: this.options.host,
      at: this.ports.clock().toISOString(),
      kind,
      detail,
      ...(decisionId !== undefined && { decisionId }),
      ...(uuid !== undefined && { domainUuid: uuid }),
      ...(name !== undefined && { domainName: name }),
    });
  }
}
