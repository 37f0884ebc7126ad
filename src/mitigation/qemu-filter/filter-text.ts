/** Rules of one function, as `renderRules` writes them. */
export interface FunctionRules {
  /** As sysfs writes it: `0000:01:00.0`. */
  bdf: string;
  rules: string;
}

/** The name of the entry for every function without one of its own. */
export const EVERY_OTHER = '*';

/** What `qemu/filter/access-rules.h` has room for, in bytes. */
const MAX_TEXT = 65_536;

/**
 * The text for all devices of a VM, in the order of their addresses; undefined where it would be longer than a carrier
 * takes.
 *
 * @param others rules of every device without an entry of its own, as of one that is plugged in later
 */
export function filterText(functions: readonly FunctionRules[], others?: string): string | undefined {
  const text = functions
    .toSorted((a, b) => (a.bdf < b.bdf ? -1 : 1))
    .map(({ bdf, rules }) => `${bdf}=${rules}`)
    .concat(others === undefined ? [] : [`${EVERY_OTHER}=${others}`])
    .join(' ');
  return text.length <= MAX_TEXT ? text : undefined;
}

/** The rules that a VM's text has for a function; `*` stands for every function without an entry of its own. */
export function rulesOf(text: string, bdf: string): string | undefined {
  return entryOf(text, bdf) ?? entryOf(text, EVERY_OTHER);
}

/** The rules of one entry of a VM's text. */
export function entryOf(text: string, name: string): string | undefined {
  const entry = text.split(' ').find((part) => part.startsWith(`${name}=`));
  return entry?.slice(name.length + 1);
}

/** FNV-1a with 64 bits, as both carriers name the rules that they have: 16 hexadecimal digits. */
export function filterDigest(text: string): string {
  let digest = 0xcbf29ce484222325n;
  for (const byte of Buffer.from(text)) digest = BigInt.asUintN(64, (digest ^ BigInt(byte)) * 0x100000001b3n);
  return digest.toString(16).padStart(16, '0');
}
