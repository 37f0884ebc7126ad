import { LocatedError } from '../located-error.js';
import type { PciIdentity } from './device-match.js';

const PCI_ID =
  /^(?<vendor>[0-9a-f]{4}):(?<device>[0-9a-f]{4})(?::(?<subsystemVendor>[0-9a-f]{4}):(?<subsystemDevice>[0-9a-f]{4}))?(?::(?<class>[0-9a-f]{2}(?:[0-9a-f]{2}){0,2}))?$/;

/**
 * Parses ids as an operator types them: `10de:2330`, `10de:2330:10de:16c1` with the subsystem, and either of them with
 * a class of 2, 4 or 6 digits behind, `10de:2330:0302`. Upper case is accepted, and brackets as lspci writes them.
 *
 * @throws LocatedError where it is none
 */
export function parsePciId(text: string): PciIdentity {
  const groups = PCI_ID.exec(
    text
      .trim()
      .toLowerCase()
      .replace(/^\[(.*)\]$/, '$1'),
  )?.groups;
  if (!groups) {
    throw new LocatedError(
      'these are no PCI ids',
      `"${text.slice(0, 40)}"`,
      'Write VENDOR:DEVICE[:SUBVENDOR:SUBDEVICE][:CLASS] in hexadecimal, such as 10de:2330 or 10de:2330:0302.',
    );
  }
  const known = Object.entries(groups).filter(([, value]) => value !== undefined);
  return Object.fromEntries(known) as unknown as PciIdentity;
}
