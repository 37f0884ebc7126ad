import type { Decision } from '../decision/decision.js';
import { readDomain } from '../domain-xml/domain-document.js';
import type { LibvirtClient } from '../libvirt/rpc/libvirt-client.js';
import type { DomainRef } from '../libvirt/rpc/types.js';
import type { Journal } from '../store/journal.js';
import type { EventKind } from '../store/records.js';
import { logWords } from './domain-log.js';
import {
  carrierInForce,
  relyingFunctions,
  whyUnfiltered,
  type FilterWords,
  type RelyingFunction,
} from './filter-words.js';
import { monitorWords } from './monitor-words.js';

/** Milliseconds: what QEMU writes reaches the log by way of virtlogd, and both may be busy. */
const PATIENCE_MS = 5_000;
const PAUSE_MS = 250;
/** Milliseconds that libvirt and QEMU may take for all commands of one look. */
const MONITOR_MS = 10_000;

/** `virDomainState`, `virDomainPausedReason` */
const PAUSED = 3;
const PAUSED_STARTING_UP = 11;

/** Where a running domain's filter was not seen. */
export interface Unverified {
  /** Whether QEMU was seen without it; else nobody could be asked. */
  missing: boolean;
  /** In words, for each function. */
  reasons: readonly string[];
}

export interface FilterWatchParts {
  journal: Pick<Journal, 'event'>;
  /** Name of this node. */
  host: string;
  /** Where libvirt keeps the logs of QEMU. */
  domainLogs: string;
  readBack: (outcome: ReadBack) => void;
  log: { error(message: string): void };
  clock: () => Date;
  patienceMs?: number;
}

/** What a look at one domain came to; `unknown` where nobody could be asked. */
export const READ_BACKS = ['verified', 'missing', 'unknown'] as const;
export type ReadBack = (typeof READ_BACKS)[number];

/** What is known of one run of a domain. */
interface Run {
  /** The domain's id, which each start gives it anew. */
  id: number;
  /** Digest by function, of what was seen in force. */
  verified: Map<string, string>;
  unverified: Unverified | undefined;
}

/**
 * Reads back whether the QEMU of a running domain has the config filter that its document asks for: by the preloaded library's own
 * lines in the domain's log, or by the property of a patched QEMU. Without that nothing is called verified.
 */
export class FilterWatch {
  private readonly runs = new Map<string, Run>();

  constructor(private readonly parts: FilterWatchParts) {}

  /** Running domains that rely on a filter which was not seen. */
  get unverifiedRunning(): number {
    return [...this.runs.values()].filter(({ unverified }) => unverified).length;
  }

  /** The domain has stopped, or a device came: what was seen before says nothing of that. */
  forget(uuid: string): void {
    this.runs.delete(uuid);
  }

  /**
   * Looks at a running domain as far as it was not seen in order before.
   *
   * @param xml the domain as it runs, which the decision is about
   * @returns undefined where its filter was seen, or it relies on none
   */
  async check(
    client: Pick<LibvirtClient, 'domainState' | 'monitorCommand' | 'destroyDomain'>,
    domain: DomainRef,
    { decision, xml }: { decision: Decision; xml: string },
  ): Promise<Unverified | undefined> {
    const document = readDomain(xml);
    const relying = relyingFunctions(document, decision);
    if (relying.length === 0) {
      this.forget(domain.uuid);
      return undefined;
    }
    const run = this.runOf(domain);
    for (const bdf of run.verified.keys()) {
      if (!relying.some((each) => each.bdf === bdf)) run.verified.delete(bdf);
    }
    const open = relying.filter(({ bdf, digest }) => run.verified.get(bdf) !== digest);
    if (open.length === 0) {
      run.unverified = undefined;
      return undefined;
    }
    const { state, reason } = await client.domainState(domain);
    // libvirt counts it as active before its QEMU has said anything; its start will be told.
    if (state === PAUSED && reason === PAUSED_STARTING_UP) return undefined;
    const carrier = carrierInForce(document);
    // What was told of before is not waited for again.
    const patience = run.unverified ? 0 : (this.parts.patienceMs ?? PATIENCE_MS);
    const words = await this.untilSeen(open, patience, () =>
      carrier === 'property'
        ? monitorWords(inTime((command) => client.monitorCommand(domain, command)))
        : logWords(this.parts.domainLogs, domain.name),
    );
    const reasons = 'words' in words ? reasonsFor(open, words) : [words.reason];
    if (reasons.length === 0) this.tellVerified(run, domain, decision, { open, carrier });
    else await this.tellUnverified(run, { client, domain, decision }, { open, words, reasons });
    return run.unverified;
  }

  private runOf({ uuid, id }: DomainRef): Run {
    const known = this.runs.get(uuid);
    if (known?.id === id) return known;
    const run: Run = { id, verified: new Map(), unverified: undefined };
    this.runs.set(uuid, run);
    return run;
  }

  private async untilSeen(
    open: readonly RelyingFunction[],
    patienceMs: number,
    ask: () => Promise<FilterWords>,
  ): Promise<FilterWords> {
    const deadline = performance.now() + patienceMs;
    for (;;) {
      const words = await ask();
      if ('words' in words && reasonsFor(open, words).length === 0) return words;
      if (performance.now() >= deadline) return words;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  private tellVerified(
    run: Run,
    domain: DomainRef,
    decision: Decision,
    { open, carrier }: { open: readonly RelyingFunction[]; carrier: 'property' | 'preload' },
  ): void {
    for (const { bdf, digest } of open) run.verified.set(bdf, digest);
    run.unverified = undefined;
    this.parts.readBack('verified');
    const by = carrier === 'property' ? 'QEMU’s monitor' : 'the preloaded library, in the domain’s log,';
    const functions = open.map(({ bdf }) => bdf).join(', ');
    this.tell(
      'verified',
      domain,
      decision,
      `${by} says that the config filter has the rules of ${functions}`,
    );
  }

  private async tellUnverified(
    run: Run,
    { client, domain, decision }: Told,
    { open, words, reasons }: { open: readonly RelyingFunction[]; words: FilterWords; reasons: string[] },
  ): Promise<void> {
    const before = run.unverified?.reasons.join('; ');
    const missing = 'words' in words && words.incomplete !== true;
    run.unverified = { missing, reasons };
    this.parts.readBack(missing ? 'missing' : 'unknown');
    const detail = reasons.join('; ');
    if (detail !== before) {
      this.parts.log.error(`${domain.name} runs, and its config filter is not verified: ${detail}`);
      this.tell('unverified', domain, decision, detail);
    }
    // A VM is not ended for what nobody could be asked about.
    const stopping = missing
      ? open.filter((each) => each.unverified === 'stop' && whyUnfiltered(each, words.words) !== undefined)
      : [];
    if (stopping.length > 0) await this.end({ client, domain, decision }, stopping);
  }

  private async end({ client, domain, decision }: Told, stopping: readonly RelyingFunction[]): Promise<void> {
    const functions = stopping.map(({ bdf }) => bdf).join(', ');
    try {
      await client.destroyDomain(domain);
      const why = `policy does not let it run without the config filter of ${functions}`;
      this.tell('ended', domain, decision, why);
    } catch (error) {
      this.parts.log.error(`${domain.name} could not be ended: ${(error as Error).message}`);
    }
  }

  private tell(kind: EventKind, { uuid, name }: DomainRef, { id }: Decision, detail: string): void {
    const { journal, host, clock } = this.parts;
    const at = clock().toISOString();
    journal.event({ host, at, kind, domainUuid: uuid, domainName: name, decisionId: id, detail });
  }
}

interface Told {
  client: Pick<LibvirtClient, 'destroyDomain'>;
  domain: DomainRef;
  decision: Decision;
}

function reasonsFor(
  open: readonly RelyingFunction[],
  { words }: Extract<FilterWords, { words: unknown }>,
): string[] {
  return open.flatMap((each) => whyUnfiltered(each, words) ?? []);
}

/** One deadline for all commands of a look. */
function inTime(ask: (command: string) => Promise<string>): (command: string) => Promise<string> {
  const deadline = performance.now() + MONITOR_MS;
  return async (command) => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const left = Math.max(0, deadline - performance.now());
      timer = setTimeout(() => reject(new Error(`no answer within ${MONITOR_MS / 1000} s`)), left);
    });
    try {
      return await Promise.race([ask(command), late]);
    } finally {
      clearTimeout(timer);
    }
  };
}
