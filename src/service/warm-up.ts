import { setImmediate as turn } from 'node:timers/promises';
import type { DecisionBasis } from '../decision/decision.service.js';
import { DecisionService } from '../decision/decision.service.js';
import { DomainRegistry } from '../libvirt/domain-registry.js';
import { CallJudge } from '../libvirt/proxy/call-judge.js';
import { locateXml } from '../libvirt/proxy/locate-xml.js';
import { XML_CALLS } from '../libvirt/proxy/xml-calls.js';
import { XmlJudge } from '../libvirt/proxy/xml-judge.js';
import { MAX_STRING_BYTES } from '../libvirt/rpc/frame.js';
import { XdrWriter } from '../libvirt/rpc/xdr-writer.js';
import { DecisionRecorder } from '../store/decision-recorder.js';
import type { Journal } from '../store/journal.js';
import type { Part } from './lifecycle.js';
import { SAMPLE_INVENTORY, SAMPLE_POLICY, sampleDomain } from './sample-domain.js';

/** As many as it takes until V8 has compiled nearly all of the way; more gains little. */
const ROUNDS = 400;
/** `REMOTE_PROC_DOMAIN_DEFINE_XML` */
const DEFINE = XML_CALLS.get(11)!;

const NOWHERE: Journal = { decision() {}, event() {}, domain() {}, domainGone() {} };

/**
 * Decides about a sample domain until V8 has compiled what a decision goes through: the first decision of a process takes
 * tens of milliseconds and the hundredth still twice as long as later ones, while a client waits. Nothing of it is
 * recorded. Afterwards memory is collected once, where `--expose-gc` lets it be. Between two of them whatever came in has its turn, so that nobody waits longer than one decision takes.
 */
export class WarmUp implements Part {
  readonly name = 'warm-up';
  private running: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(private readonly basis: () => DecisionBasis) {}

  async start(): Promise<void> {
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.running;
  }

  private async run(): Promise<void> {
    const judge = this.judge();
    const calls = [false, true].map((assigned) => defineCall(sampleDomain(assigned)));
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const payload of calls) {
        await turn();
        if (this.stopped) return;
        await judge.judge(locateXml(DEFINE, payload), payload);
      }
    }
    // What the start has left, modules' sources above all, would stay for as long as little happens.
    globalThis.gc?.();
  }

  /** As the proxy has one, with a host and a rule of the sample's own. */
  private judge(): CallJudge {
    const sample = { inventory: SAMPLE_INVENTORY, policy: SAMPLE_POLICY, hostMode: 'enforce' } as const;
    const xml = new XmlJudge({
      recorder: new DecisionRecorder(new DecisionService({ ...this.basis(), ...sample }), NOWHERE, ''),
      registry: new DomainRegistry('', NOWHERE),
      hostdevNetworks: () => [],
      domainXml: () => Promise.reject(new Error('a sample is not asked of libvirt')),
    });
    return new CallJudge(
      xml,
      'open',
      () => 'enforce',
      () => {},
    );
  }
}

function defineCall(xml: string): Buffer {
  const writer = new XdrWriter();
  writer.opaque(Buffer.from(xml), MAX_STRING_BYTES);
  return writer.finish();
}
