import type { Journal } from '../../store/journal.js';
import type { EventKind } from '../../store/records.js';
import { ranRestricted, type DomainRegistry } from '../domain-registry.js';
import type { StartKnowledge } from '../hooked-starts.js';
import type { DomainRef } from '../rpc/types.js';
import type { Survey } from './domain-survey.js';

export interface DomainHistoryParts {
  registry: DomainRegistry;
  journal: Pick<Journal, 'event'>;
  /** What the hook knew of starts. */
  starts: StartKnowledge;
  host: string;
  clock: () => Date;
}

/** What happens to the host's domains, as it is told and remembered. */
export class DomainHistory {
  constructor(private readonly parts: DomainHistoryParts) {}

  /** That it has run, and with what, is known at once or not at all: it may be gone before it is looked at. */
  began({ uuid, name }: DomainRef): void {
    const { registry, starts } = this.parts;
    const places = starts.places.take(uuid);
    registry.change(uuid, name, {
      active: true,
      state: 'has-run',
      ...(places && {
        devices: places.devices,
        ranRestricted: ranRestricted(registry.get(uuid), places),
      }),
    });
  }

  /** It runs, and was looked at. */
  tellStarted({ record, decision, unverified = [] }: Survey): void {
    const domain = { name: record.name, uuid: record.uuid };
    if (record.unprotected) {
      if (this.parts.starts.told.take(record.uuid)) return;
      const open = decision.devices
        .filter(({ mode }) => mode === 'enforce')
        .flatMap(({ source, reference, plan }) =>
          plan.residual
            .filter(({ required }) => required)
            .map(({ exposure }) => `${source ?? reference ?? '?'}: ${exposure}`),
        );
      this.tell(
        'started-unprotected',
        domain,
        `open though policy requires it closed: ${[...open, ...unverified].join(', ')}`,
        record.decisionId,
      );
    } else if (record.devices.length > 0 && unverified.length === 0)
      this.tell('started', domain, 'it runs with what policy demands', record.decisionId);
  }

  /** Without a decision of its own, the event belongs to the one in force. */
  tell(
    kind: EventKind,
    { uuid, name }: Pick<DomainRef, 'uuid' | 'name'>,
    detail: string,
    decisionId = this.parts.registry.get(uuid)?.decisionId,
  ): void {
    this.parts.journal.event({
      host: this.parts.host,
      at: this.parts.clock().toISOString(),
      kind,
      domainUuid: uuid,
      domainName: name,
      detail,
      ...(decisionId !== undefined && { decisionId }),
    });
  }
}
