import type { Decision } from '../../decision/decision.js';
import type { FailureMode } from '../../config/settings.js';
import { denialReason, printable, unarmedReason } from '../../decision/refusal.js';
import { decodeXml } from '../../domain-xml/xml-reader.js';
import { refusalsOf } from '../../located-error.js';
import type { Mode } from '../../policy/policy-terms.js';
import { ERROR_CODE } from '../rpc/libvirt-error.js';
import { replaceXml, type LocatedCall, type LocatedXml } from './locate-xml.js';
import type { XmlJudge } from './xml-judge.js';

/** What becomes of a call. */
export type Judgement =
  | { action: 'forward'; payload: Buffer; decision?: Decision; rewritten: boolean }
  | { action: 'refuse'; code: number; message: string; decision?: Decision };

/** Words without which a client's XML assigns no device; more of them than do. */
const MAY_ASSIGN = /hostdev|vfio|nvme|mdev|qemu:|type=["']network/;

/**
 * Judges a call as a whole: each piece of XML in it, and what the pieces' decisions come to. Pieces are judged at once
 * wherever they can be: only those that need the domain's own XML are waited for.
 */
export class CallJudge {
  constructor(
    private readonly xml: XmlJudge,
    private readonly failure: FailureMode,
    /** The host's switch now. */
    private readonly hostMode: () => Mode,
    private readonly failed: (mode: FailureMode, call: LocatedCall, error: unknown) => void,
  ) {}

  /** Whether calls are to be held and judged at all: with the switch at `off` nothing is in anybody's way. */
  get active(): boolean {
    return this.hostMode() !== 'off';
  }

  /** Whether anything may be refused. */
  get enforcing(): boolean {
    return this.hostMode() === 'enforce';
  }

  /** Answers at once where it can; a call that has to wait for libvirt delays no other. */
  judge(located: LocatedCall, payload: Buffer): Judgement | Promise<Judgement> {
    try {
      const waiting = located.xml.some(({ role }) => role === 'device' || role === 'detached-device');
      if (!waiting) return this.judgeAtOnce(located, payload);
      return this.judgeDevice(located, payload).catch((error: unknown) =>
        this.refuse(located, payload, error),
      );
    } catch (error) {
      return this.refuse(located, payload, error);
    }
  }

  private judgeAtOnce(located: LocatedCall, payload: Buffer): Judgement {
    const replacements = new Map<LocatedXml, string>();
    let last: Decision | undefined;
    for (const piece of located.xml) {
      const text = decodeXml(piece.bytes);
      const judged =
        piece.role === 'snapshot'
          ? this.xml.snapshot(text, located.call)
          : this.xml.domain(text, located.call);
      for (const decision of judged.decisions) {
        last = decision;
        if (decision.verdict === 'denied') return denied(decision);
      }
      if (judged.xml !== text) replacements.set(piece, judged.xml);
    }
    return forward(payload, replacements, last);
  }

  private async judgeDevice(located: LocatedCall, payload: Buffer): Promise<Judgement> {
    const piece = located.xml[0]!;
    const text = decodeXml(piece.bytes);
    const judged =
      piece.role === 'device' ? await this.xml.device(text, located) : await this.xml.detached(text, located);
    const [decision] = judged.decisions;
    if (decision?.verdict === 'denied') return denied(decision);
    if (decision && judged.unarmed && this.enforcing && this.failure === 'closed') {
      const message = unarmedReason(decision, judged.unarmed);
      return { action: 'refuse', code: ERROR_CODE.operationDenied, message, decision };
    }
    return forward(payload, judged.xml === text ? new Map() : new Map([[piece, judged.xml]]), decision);
  }

  /** What is wrong with the input is the client's to know; what is wrong with us follows the failure mode. */
  private refuse(located: LocatedCall, payload: Buffer, error: unknown): Judgement {
    const pass: Judgement = { action: 'forward', payload, rewritten: false };
    const refusals = refusalsOf(error);
    if (refusals) {
      if (!this.enforcing) return pass;
      const message = printable(`vfio-warden: ${refusals.map((refusal) => refusal.message).join('; ')}`);
      return { action: 'refuse', code: ERROR_CODE.xmlError, message };
    }
    if (!located.xml.some(({ bytes }) => MAY_ASSIGN.test(bytes.toString('latin1')))) return pass;
    const failure = this.enforcing ? this.failure : 'open';
    this.failed(failure, located, error);
    if (failure === 'open') return pass;
    const reason = error instanceof Error ? error.message : String(error);
    return {
      action: 'refuse',
      code: ERROR_CODE.operationFailed,
      message: printable(
        `vfio-warden: no decision could be made about ${located.call.operation}, and the failure mode is closed: ${reason}`,
      ),
    };
  }
}

function denied(decision: Decision): Judgement {
  return { action: 'refuse', code: ERROR_CODE.operationDenied, message: denialReason(decision), decision };
}

function forward(
  payload: Buffer,
  replacements: ReadonlyMap<LocatedXml, string>,
  decision: Decision | undefined,
): Judgement {
  const rewritten = replacements.size > 0;
  const judgement: Judgement = {
    action: 'forward',
    payload: rewritten ? replaceXml(payload, replacements) : payload,
    rewritten,
  };
  if (decision) judgement.decision = decision;
  return judgement;
}
