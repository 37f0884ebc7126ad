import type { FilterWord, FilterWords } from './filter-words.js';

/** What libvirt writes into a domain's log when it starts it (`qemuDomainLogContextNew`, `qemuLogOperation`). */
const START = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\+\d{4}: starting up libvirt version/;
/** Lines of `qemu/filter/vfio-config-filter.c`. */
const READY = /^vfio-warden-filter: (\S{1,63}) ready, mode=(block|observe) rules=([0-9a-f]{16})$/;
const UNFILTERED = /^vfio-warden-filter: (\S{1,63}) (?:refused: |has no rules: )/;

/**
 * What the library has said in a domain's log since the domain was last started; a device that was opened again goes by the last
 * line.
 */
export function wordsOfLog(log: string): FilterWords {
  const lines = log.split('\n');
  const start = lines.findLastIndex((line) => START.test(line));
  if (start === -1) return { reason: "the domain's log does not go back to its start" };
  const words = new Map<string, FilterWord>();
  for (const line of lines.slice(start + 1)) {
    const ready = READY.exec(line);
    if (ready) words.set(ready[1]!, { mode: ready[2]!, digest: ready[3]! });
    const unfiltered = UNFILTERED.exec(line);
    if (unfiltered) words.delete(unfiltered[1]!);
  }
  return { words };
}
