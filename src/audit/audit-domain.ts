import type { Decision, DeviceDecision, DomainState, GuestHardware } from '../decision/decision.js';
import { DecisionService, type DecisionBasis } from '../decision/decision.service.js';
import { readDomain } from '../domain-xml/domain-document.js';
import { CLOSING_MECHANISMS } from '../mitigation/mechanisms.js';
import type { PolicySet } from '../policy/policy-set.js';
import type { Mode } from '../policy/policy-terms.js';
import { SEVERITIES, type Severity } from '../risk/risk-entry.js';
import type {
  DeviceAudit,
  DocumentAudit,
  DomainAudit,
  Enforcement,
  OpenRisk,
  Outcome,
} from './domain-audit.js';
import type { SeenDomain } from './seen-domain.js';

export interface AuditCircumstances {
  hostdevNetworks: readonly string[];
  /** ISO 8601, UTC. */
  evaluatedAt: string;
}

/** Judges domains against one host and policy. Records nothing: these decisions are only looked at. */
export class Auditor {
  /** With nothing enforced: what is open as the domain stands. */
  private readonly asIs: DecisionService;
  /** With each rule that observes enforced: what turning the policy on would do. */
  private readonly enforced: DecisionService;
  private readonly modes: ReadonlyMap<string, Mode>;

  constructor(
    basis: DecisionBasis,
    private readonly circumstances: AuditCircumstances,
  ) {
    this.asIs = new DecisionService({ ...basis, hostMode: 'off' });
    this.enforced = new DecisionService({ ...basis, hostMode: 'enforce', policy: turnedOn(basis.policy) });
    this.modes = new Map(basis.policy.rules.map(({ policy, rule }) => [`${policy}/${rule.name}`, rule.mode]));
  }

  /** @throws LocatedError where a document cannot be read */
  audit({ name, file, running, live, next }: SeenDomain): DomainAudit {
    const document = next ?? live;
    const uuid = document === undefined ? undefined : readDomain(document).uuid;
    return {
      name,
      ...(uuid !== undefined && { uuid }),
      ...(file !== undefined && { file }),
      ...(running !== undefined && { running }),
      ...(live !== undefined && { now: this.judge(live, 'has-run', 'fixed') }),
      ...(next !== undefined && { next: this.judge(next, running ? 'has-run' : 'unknown', 'may-change') }),
    };
  }

  private judge(xml: string, domainState: DomainState, guestHardware: GuestHardware): DocumentAudit {
    const request = { xml, ...this.circumstances };
    const asIs = this.asIs.evaluate({ ...request, domainState, guestHardware }).decision;
    const enforced = this.enforced.evaluate({ ...request, domainState, guestHardware }).decision;
    const anew =
      guestHardware === 'may-change'
        ? this.enforced.evaluate({ ...request, domainState: 'new' }).decision
        : undefined;
    return {
      // The three are of one document, so their devices stand in the same order.
      devices: asIs.devices.map((device, index) =>
        this.deviceAudit(
          device,
          enforcementOf(enforced.devices[index]!, guestHardware),
          anew?.devices[index],
        ),
      ),
      edits: enforced.edits.map(({ target, summary }) => `${target}: ${summary}`),
      moves: enforced.moves,
      problems: uniqueProblems(enforced),
    };
  }

  private deviceAudit(
    asIs: DeviceDecision,
    enforcing: Enforcement,
    anew: DeviceDecision | undefined,
  ): DeviceAudit {
    const { carrier, source, reference, place, guestAddress, findings, plan } = asIs;
    const ifNew = anew && enforcementOf(anew, 'may-change');
    const risks = openRisks(asIs);
    const named = new Set(risks.map(({ exposure }) => exposure));
    return {
      device: source ?? reference ?? place,
      carrier,
      ...(asIs.function && { function: asIs.function }),
      ...(guestAddress !== undefined && { guestAddress }),
      risks,
      alsoOpen: [...new Set(plan.residual.map(({ exposure }) => exposure))].filter(
        (exposure) => !named.has(exposure),
      ),
      certainty: findings.some(({ certainty }) => certainty === 'seen') ? 'seen' : 'assumed',
      closed: plan.alreadyClosed.filter(({ exposures }) => exposures.length > 0),
      ...(asIs.rule && { rule: { ...asIs.rule, mode: this.modeOf(asIs.rule) } }),
      enforcing,
      ...(ifNew && !sameEnforcement(ifNew, enforcing) && { ifNew }),
    };
  }

  private modeOf({ policy, name }: NonNullable<DeviceDecision['rule']>): Mode {
    return this.modes.get(`${policy}/${name}`) ?? 'off';
  }
}

/** The policy with every rule that observes enforced; a rule that is off stays off. */
function turnedOn(policy: PolicySet): PolicySet {
  return {
    revision: policy.revision,
    rules: policy.rules.map((placed) =>
      placed.rule.mode === 'observe' ? { ...placed, rule: { ...placed.rule, mode: 'enforce' } } : placed,
    ),
  };
}

function openRisks({ findings, plan }: DeviceDecision): OpenRisk[] {
  const rank = ({ risk }: OpenRisk) => SEVERITIES.indexOf(risk.severity as Severity);
  return plan.residual
    .flatMap(({ exposure, parts }): OpenRisk[] => {
      const finding = findings.find((found) => found.exposure === exposure && found.risk);
      if (!finding?.risk) return [];
      const { legacy, extended } = finding.parts;
      const part = parts.legacy && !parts.extended ? 'below 0x100' : 'from 0x100 on';
      const whole = parts.legacy === legacy && parts.extended === extended;
      return [{ exposure, ...(!whole && { part }), risk: finding.risk }];
    })
    .toSorted((a, b) => rank(a) - rank(b));
}

function enforcementOf(device: DeviceDecision, guestHardware: GuestHardware): Enforcement {
  const { plan } = device;
  const staysOpen = [
    ...new Set(plan.residual.filter(({ required }) => required).map(({ exposure }) => exposure)),
  ];
  return {
    outcome: outcomeOf(device, staysOpen.length > 0),
    mechanisms: plan.mechanisms.map(({ name, closes, price }) => ({ name, closes, price })),
    staysOpen,
    whyNot: staysOpen.length > 0 ? reasons(plan.rejected, guestHardware) : [],
  };
}

/** Of a domain that runs, the reason not to change its hardware is that. */
function reasons(rejected: Enforcement['whyNot'], guestHardware: GuestHardware): Enforcement['whyNot'] {
  if (guestHardware === 'may-change') return rejected;
  return rejected.map(({ mechanism, reason }) =>
    CHANGES_HARDWARE.has(mechanism)
      ? { mechanism, reason: 'it changes the guest’s hardware, and the domain runs' }
      : { mechanism, reason },
  );
}

const CHANGES_HARDWARE: ReadonlySet<string> = new Set(
  CLOSING_MECHANISMS.filter(({ guestChange }) => guestChange !== 'none').map(({ name }) => name),
);

function outcomeOf({ verdict, required, mode, plan }: DeviceDecision, leavesOpen: boolean): Outcome {
  if (verdict === 'denied') return 'refused';
  if (mode === 'off' || required.length === 0) return 'nothing-required';
  if (verdict === 'exempt') return 'exempt';
  const closes = plan.mechanisms.length > 0 || plan.alreadyClosed.some(closesRequired(required));
  if (leavesOpen) return closes ? 'partly' : 'impossible';
  return plan.mechanisms.length > 0 ? 'protected' : 'in-force';
}

function closesRequired(required: DeviceDecision['required']) {
  return ({ exposures }: { exposures: DeviceDecision['required'] }) =>
    exposures.some((exposure) => required.includes(exposure));
}

function sameEnforcement(a: Enforcement, b: Enforcement): boolean {
  const names = ({ mechanisms }: Enforcement) => mechanisms.map(({ name }) => name).join();
  return a.outcome === b.outcome && names(a) === names(b);
}

function uniqueProblems({ problems }: Decision): DocumentAudit['problems'] {
  const told = new Set<string>();
  return problems.filter(({ place, problem }) => {
    const key = `${place} ${problem}`;
    return !told.has(key) && told.add(key);
  });
}
