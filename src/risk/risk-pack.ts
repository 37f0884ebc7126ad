import { createHash } from 'node:crypto';
import { canonicalJson } from '../canonical-json.js';
import { deviceIdsOf, type DeviceMatch } from './device-match.js';
import type { RiskEntry } from './risk-entry.js';

/**
 * Risk entries in few flat buffers, so that a hundred thousand of them can pass from one thread to another without being
 * copied, and lie in memory once: an entry becomes an object when it is looked up.
 */
export interface RiskPack {
  /** SHA-256 over what the entries say, in hexadecimal: files, comments and order do not matter. */
  revision: string;
  /** Canonical JSON of the entries, one after the other, by id. */
  text: Uint8Array<ArrayBuffer>;
  /** Where each begins in `text`, and at last where the last one ends. */
  offsets: Uint32Array<ArrayBuffer>;
  /** Hashes of all keys that the entries' rules have (`ruleKeys`), ascending. */
  hashes: Uint32Array<ArrayBuffer>;
  /** For each hash the entry's number and the number of the rule in its `match`. */
  postings: Uint32Array<ArrayBuffer>;
}

/** The buffers of a pack, to be handed over with a message. */
export function buffersOf({ text, offsets, hashes, postings }: RiskPack): ArrayBuffer[] {
  return [text.buffer, offsets.buffer, hashes.buffer, postings.buffer];
}

/** Collects entries that the loader has accepted; each is let go of as soon as it was added. */
export class RiskPacker {
  private readonly ids: string[] = [];
  private readonly texts: Buffer[] = [];
  /** Hashes of the keys of each rule of each entry. */
  private readonly keys: Uint32Array[][] = [];

  add(entry: RiskEntry): void {
    this.ids.push(entry.id);
    this.texts.push(Buffer.from(canonicalJson(entry)));
    this.keys.push(entry.match.map((rule) => Uint32Array.from(ruleKeys(rule), keyHash)));
  }

  pack(): RiskPack {
    const order = this.ids.map((_, at) => at).toSorted((a, b) => (this.ids[a]! < this.ids[b]! ? -1 : 1));
    const digest = createHash('sha256').update('[');
    const text = new Uint8Array(this.texts.reduce((sum, { length }) => sum + length, 0));
    const offsets = new Uint32Array(order.length + 1);
    const found: { hash: number; entry: number; rule: number }[] = [];
    let end = 0;
    for (const [entry, at] of order.entries()) {
      const own = this.texts[at]!;
      if (entry > 0) digest.update(',');
      digest.update(own);
      text.set(own, end);
      end += own.length;
      offsets[entry + 1] = end;
      for (const [rule, hashes] of this.keys[at]!.entries()) {
        for (const hash of hashes) found.push({ hash, entry, rule });
      }
    }
    found.sort((a, b) => a.hash - b.hash || a.entry - b.entry || a.rule - b.rule);
    return {
      revision: digest.update(']').digest('hex'),
      text,
      offsets,
      hashes: Uint32Array.from(found, ({ hash }) => hash),
      postings: Uint32Array.from(found.flatMap(({ entry, rule }) => [entry, rule])),
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
