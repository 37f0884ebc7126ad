import { createHash, hash } from 'node:crypto';
import { canonicalJson } from '../canonical-json.js';
import { detached } from '../detached.js';
import { deviceIdsOf, type DeviceMatch } from './device-match.js';
import { GrowingBytes } from './growing-bytes.js';
import type { RiskEntry } from './risk-entry.js';
import { TextBlockWriter, type TextBlocks } from './text-blocks.js';

/**
 * Risk entries in few flat buffers, so that a hundred thousand of them can pass from one process to another quickly,
 * and lie in memory once: an entry becomes an object when it is looked up.
 */
export interface RiskPack {
  /** SHA-256 over the SHA-256 of each entry, by id, in hexadecimal: files, comments and order do not matter. */
  revision: string;
  /** Canonical JSON of the entries, one after the other, in the order in which they were read. */
  text: TextBlocks;
  /** Where each begins and ends in `text`, two numbers an entry, by id. */
  offsets: Uint32Array<ArrayBuffer>;
  /** Hashes of all keys that the entries' rules have (`ruleKeys`), ascending. */
  hashes: Uint32Array<ArrayBuffer>;
  /** For each hash the entry's number and the number of the rule in its `match`. */
  postings: Uint32Array<ArrayBuffer>;
}

/** Of SHA-256. */
const DIGEST_BYTES = 32;

/** Collects entries that the loader has accepted; each is let go of as soon as it was added. */
export class RiskPacker {
  private readonly ids: string[] = [];
  private readonly text = new TextBlockWriter();
  /** Of each entry's text. */
  private readonly digests = new GrowingBytes();
  /** Where each entry ends in the text. */
  private readonly ends: number[] = [];
  /** Hashes of the keys of all rules, and whose they are: the entry's number and the rule's. */
  private readonly hashes: number[] = [];
  private readonly owners: number[] = [];

  add(entry: RiskEntry): void {
    const at = this.ids.length;
    this.ids.push(detached(entry.id));
    const text = Buffer.from(canonicalJson(entry));
    this.digests.append(hash('sha256', text, 'buffer'));
    this.ends.push(this.text.append(text)[1]);
    for (const [number, rule] of entry.match.entries()) {
      for (const key of ruleKeys(rule)) {
        this.hashes.push(keyHash(key));
        this.owners.push(at, number);
      }
    }
  }

  pack(): RiskPack {
    const { ids, ends, hashes, owners } = this;
    const order = Uint32Array.from(ids.keys()).toSorted((a, b) => (ids[a]! < ids[b]! ? -1 : 1));
    const ranks = new Uint32Array(ids.length);
    const offsets = new Uint32Array(2 * ids.length);
    const digest = createHash('sha256');
    for (const [rank, at] of order.entries()) {
      offsets.set([ends[at - 1] ?? 0, ends[at]!], 2 * rank);
      ranks[at] = rank;
      digest.update(this.digests.slice(at * DIGEST_BYTES, (at + 1) * DIGEST_BYTES));
    }
    const ruleOf = (posting: number) => owners[2 * posting + 1]!;
    const rankOf = (posting: number) => ranks[owners[2 * posting]!]!;
    const found = Uint32Array.from(hashes.keys()).toSorted(
      (a, b) => hashes[a]! - hashes[b]! || rankOf(a) - rankOf(b) || ruleOf(a) - ruleOf(b),
    );
    const postings = new Uint32Array(2 * found.length);
    for (const [at, posting] of found.entries()) postings.set([rankOf(posting), ruleOf(posting)], 2 * at);
    return {
      revision: digest.digest('hex'),
      text: this.text.finish(),
      offsets,
      hashes: Uint32Array.from(found, (posting) => hashes[posting]!),
      postings,
    };
  }
}

export function packRisks(entries: readonly RiskEntry[]): RiskPack {
  const packer = new RiskPacker();
  for (const entry of entries) packer.add(entry);
  return packer.pack();
}

/** The keys below tell the levels apart by their punctuation: `10de:2330`, `10de/03`, `/0108`. */
function ruleKeys(rule: DeviceMatch): string[] {
  const devices = deviceIdsOf(rule);
  if (!devices) return [`${rule.vendor ?? ''}/${rule.class ?? ''}`];
  const subsystem =
    rule.subsystemVendor === undefined ? '' : `:${rule.subsystemVendor}:${rule.subsystemDevice ?? ''}`;
  return devices.map((device) => `${rule.vendor}:${device}${subsystem}`);
}

/** FNV-1a, 32 bits; who finds something by it compares the key's fields, too. */
export function keyHash(key: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at += 1) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}
