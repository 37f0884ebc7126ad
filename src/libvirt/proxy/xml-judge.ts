import type { Decision } from '../../decision/decision.js';
import type { DecisionRecorder } from '../../store/decision-recorder.js';
import { findAssignedInDevice, type AssignedDevice } from '../../domain-xml/assigned-devices.js';
import { readDomain } from '../../domain-xml/domain-document.js';
import { readdress } from '../../domain-xml/readdress.js';
import { applySplices, type Splice } from '../../domain-xml/splice.js';
import { readXml } from '../../domain-xml/xml-reader.js';
import type { DomainRegistry } from '../domain-registry.js';
import type { DomainRef } from '../rpc/types.js';
import type { LocatedCall } from './locate-xml.js';
import type { XmlCall } from './xml-calls.js';

/** What is made of a piece of XML: the text to send on, the very same where nothing changes. */
export interface JudgedXml {
  xml: string;
  decisions: readonly Decision[];
  /** Why the kernel guard cannot protect what is attached, although the plan relies on it. */
  unarmed?: { problem: string };
}

export interface XmlJudgeParts {
  recorder: DecisionRecorder;
  registry: DomainRegistry;
  /** Libvirt networks that hand out host functions. */
  hostdevNetworks: () => readonly string[];
  /**
   * A domain's XML, asked of libvirt by a connection of our own.
   *
   * @throws Error while there is none
   */
  domainXml: (domain: DomainRef, flags: number) => Promise<string>;
  /** Gives the functions that are attached their rules in the kernel guard; tells what went wrong. */
  arm?: (decision: Decision) => { problem: string } | undefined;
}

/** `VIR_DOMAIN_AFFECT_CONFIG` of attach and its like, `VIR_DOMAIN_XML_INACTIVE` of get-XML */
const AFFECT_LIVE = 1;
const AFFECT_CONFIG = 2;
const XML_INACTIVE = 2;

/** Decides about each piece of XML that a call brings. */
export class XmlJudge {
  constructor(private readonly parts: XmlJudgeParts) {}

  /** A whole domain. @throws LocatedError where it cannot be read */
  domain(xml: string, { operation, guestHardware }: Pick<XmlCall, 'operation' | 'guestHardware'>): JudgedXml {
    const { recorder, registry, hostdevNetworks } = this.parts;
    const document = readDomain(xml);
    const { state, ranRestricted } = registry.pastOf(document.uuid, document.name);
    const result = recorder.decide(
      { xml, document, domainState: state, ranRestricted, guestHardware, hostdevNetworks: hostdevNetworks() },
      { surface: 'proxy', operation },
    );
    return { xml: result.xml, decisions: [result.decision] };
  }

  /** The domains within a `<domainsnapshot>` or `<domaincheckpoint>`: a revert makes them what runs. */
  snapshot(xml: string, call: XmlCall): JudgedXml {
    const splices: Splice[] = [];
    const decisions: Decision[] = [];
    for (const { name, start, end } of readXml(xml).children) {
      if (name !== 'domain' && name !== 'inactiveDomain') continue;
      // Libvirt's `<inactiveDomain>` is a domain by another name (`virDomainSnapshotDefParse`).
      const own = xml.slice(start, end);
      const asDomain = name === 'domain' ? own : rename(own, 'inactiveDomain', 'domain');
      const judged = this.domain(asDomain, call);
      decisions.push(...judged.decisions);
      if (judged.xml === asDomain) continue;
      const text = name === 'domain' ? judged.xml : rename(judged.xml, 'domain', 'inactiveDomain');
      splices.push({ start, end, text });
    }
    return { xml: applySplices(xml, splices), decisions };
  }

  /** A device that is attached, or put in the place of another. Only one that may be assigned is asked about. */
  async device(xml: string, located: LocatedCall): Promise<JudgedXml> {
    if (this.assigned(xml).length === 0) return { xml, decisions: [] };
    const { recorder, registry, hostdevNetworks, arm } = this.parts;
    const { domain, domainXml } = await this.domainOf(located);
    const { state, ranRestricted } = registry.pastOf(domain.uuid, domain.name);
    const result = recorder.decide(
      {
        xml: domainXml,
        attach: { xml },
        domainState: state,
        ranRestricted,
        guestHardware: located.call.guestHardware,
        hostdevNetworks: hostdevNetworks(),
      },
      { surface: 'proxy', operation: located.call.operation },
    );
    const { flags = AFFECT_LIVE } = located;
    const live = (flags & AFFECT_CONFIG) === 0 || (flags & AFFECT_LIVE) !== 0;
    const unarmed = live && result.decision.verdict !== 'denied' ? arm?.(result.decision) : undefined;
    return { xml: result.xml, decisions: [result.decision], ...(unarmed && { unarmed }) };
  }

  /** A device that is detached: libvirt shall find it where we moved it. */
  async detached(xml: string, located: LocatedCall): Promise<JudgedXml> {
    if (!this.assigned(xml).some(({ guestAddress }) => guestAddress)) return { xml, decisions: [] };
    const { domainXml } = await this.domainOf(located);
    return { xml: readdress(xml, readDomain(domainXml)), decisions: [] };
  }

  private assigned(xml: string): AssignedDevice[] {
    const networks = this.parts.hostdevNetworks();
    return findAssignedInDevice(readXml(xml), xml).filter(
      ({ carrier, reference }) => carrier !== 'network' || networks.includes(reference ?? ''),
    );
  }

  private async domainOf({
    domain,
    flags = AFFECT_LIVE,
  }: LocatedCall): Promise<{ domain: DomainRef; domainXml: string }> {
    const configOnly = (flags & AFFECT_CONFIG) !== 0 && (flags & AFFECT_LIVE) === 0;
    return { domain: domain!, domainXml: await this.parts.domainXml(domain!, configOnly ? XML_INACTIVE : 0) };
  }
}

/** Gives a document's root element another name. */
function rename(document: string, from: string, to: string): string {
  const closing = document.lastIndexOf(`</${from}`);
  const end = closing === -1 ? '' : `</${to}${document.slice(closing + 2 + from.length)}`;
  return `<${to}${document.slice(1 + from.length, closing === -1 ? undefined : closing)}${end}`;
}
