import type { DecideResult } from '../../decision/decide.js';
import type { Decision } from '../../decision/decision.js';
import type { DecisionRecorder } from '../../store/decision-recorder.js';
import { assignedFunctions, basisOf, isUnprotected, restrictedPlaces } from '../../decision/protection.js';
import { whatBringsUpToDate } from './staleness.js';
import { readDomain } from '../../domain-xml/domain-document.js';
import { readNovaOwner } from '../../domain-xml/nova-owner.js';
import type { DomainRecord } from '../../store/records.js';
import { ranRestricted, type DomainRegistry } from '../domain-registry.js';
import type { LibvirtClient } from '../rpc/libvirt-client.js';
import type { DomainRef } from '../rpc/types.js';

/** `VIR_DOMAIN_XML_SECURE`, `VIR_DOMAIN_XML_INACTIVE`: what is defined again must have its passwords. */
const XML_SECURE = 1;
const XML_INACTIVE = 2;

/** What libvirt said of a domain. */
export interface Presence {
  active: boolean;
  persistent: boolean;
}

/** What was found out about a domain, and what may be done about it. */
export interface Survey {
  record: DomainRecord;
  decision: Decision;
  /** The domain as libvirt has it. */
  xml: string;
  /** Why it runs without the config filter that it relies on, for each function. */
  unverified?: readonly string[];
  /** The document that an inactive domain should be defined with instead; absent where nothing is to be changed. */
  redefinition?: string;
}

export interface SurveyParts {
  recorder: DecisionRecorder;
  registry: DomainRegistry;
  hostdevNetworks: () => readonly string[];
}

/** Looks at one domain as libvirt has it, decides about it, and records what has changed. */
export class DomainSurvey {
  constructor(private readonly parts: SurveyParts) {}

  /** @throws Error where the domain is gone meanwhile, or libvirt is */
  async take(client: LibvirtClient, domain: DomainRef, presence: Presence): Promise<Survey> {
    const xml = await client.domainXml(domain, presence.active ? 0 : XML_INACTIVE | XML_SECURE);
    const at = this.parts.recorder.now();
    const result = this.decide(domain, xml, presence, at);
    const stale = presence.active ? this.staleness(domain, xml, result.decision, at) : undefined;
    const record = this.record(domain, xml, presence, result, stale);
    const survey: Survey = { record, decision: result.decision, xml };
    if (!presence.active && result.xml !== xml) survey.redefinition = result.xml;
    return survey;
  }

  private decide(domain: DomainRef, xml: string, { active }: Presence, at: Date): DecideResult {
    const { recorder, registry, hostdevNetworks } = this.parts;
    const { state, ranRestricted } = registry.pastOf(domain.uuid, domain.name);
    const result = recorder.evaluate(
      {
        xml,
        domainState: active ? 'has-run' : state,
        ranRestricted,
        // What runs has its hardware: what could be had by another one is for the next start.
        guestHardware: active ? 'fixed' : 'may-change',
        hostdevNetworks: hostdevNetworks(),
      },
      at,
    );
    const known = registry.get(domain.uuid);
    const { decision } = result;
    const stands =
      known?.decisionId !== undefined &&
      known.verdict === decision.verdict &&
      known.basis === basisOf(decision) &&
      decision.edits.length === 0;
    if (stands) return result;
    return recorder.record(result, { surface: 'reconciler', operation: active ? 'running' : 'defined' });
  }

  /** What would bring a running domain to what policy asks for now; undefined where it has that. */
  private staleness(domain: DomainRef, xml: string, running: Decision, at: Date): string | undefined {
    const { recorder, registry, hostdevNetworks } = this.parts;
    const { ranRestricted } = registry.pastOf(domain.uuid, domain.name);
    if (running.devices.length === 0) return undefined;
    const next = recorder.evaluate(
      {
        xml,
        domainState: 'has-run',
        ranRestricted,
        hostdevNetworks: hostdevNetworks(),
      },
      at,
    ).decision;
    return whatBringsUpToDate(running, next, readDomain(xml));
  }

  private record(
    domain: DomainRef,
    xml: string,
    presence: Presence,
    { decision }: DecideResult,
    stale: string | undefined,
  ): DomainRecord {
    const { registry } = this.parts;
    const known = registry.get(domain.uuid);
    const stands =
      known?.verdict === decision.verdict && known.basis === basisOf(decision) && decision.edits.length === 0;
    const devices = assignedFunctions(decision);
    return registry.change(domain.uuid, domain.name, {
      ...presence,
      owner: readNovaOwner(readDomain(xml).root),
      devices,
      ...(presence.active && {
        state: 'has-run' as const,
        ranRestricted: ranRestricted(known, { devices, restricted: restrictedPlaces(decision) }),
      }),
      ...(!(stands && known?.decisionId !== undefined) && { decisionId: decision.id }),
      verdict: decision.verdict,
      basis: basisOf(decision),
      unprotected: isUnprotected(decision),
      stale,
    });
  }
}
