import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { FilterWords } from './filter-words.js';
import { wordsOfLog } from './log-words.js';

/** virtlogd begins a new file after 2 MiB (`max_size` of virtlogd.conf). */
const MAX_BYTES = 4 * 1024 * 1024;
/** What virtlogd, and what Debian's logrotate, call the file before. */
const BEFORE = ['0', '1'];

/**
 * What the library says in a domain's log.
 *
 * @param directory where libvirt keeps the logs of QEMU, `/var/log/libvirt/qemu`
 */
export async function logWords(directory: string, domain: string): Promise<FilterWords> {
  if (domain.includes('/') || domain.startsWith('.')) return { reason: 'its name is none of a log' };
  const file = join(directory, `${domain}.log`);
  try {
    const newest = await endOf(file);
    const found = wordsOfLog(newest);
    if ('words' in found) return found;
    const before = await Promise.all(BEFORE.map((suffix) => endOf(`${file}.${suffix}`).catch(() => '')));
    const whole = before.map((older) => wordsOfLog(`${older}\n${newest}`));
    const words = whole.find((each) => 'words' in each);
    return words ? { ...words, incomplete: true } : found;
  } catch (error) {
    return { reason: `${file} cannot be read: ${(error as Error).message.slice(0, 200)}` };
  }
}

/** The last bytes of a file: the log of a domain that runs for long may have any length. */
async function endOf(path: string): Promise<string> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const from = Math.max(0, size - MAX_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from);
    return buffer.subarray(0, bytesRead).toString('latin1');
  } finally {
    await file.close();
  }
}
