import type { Inventory } from '../../pci/inventory.js';
import { deviceMatches } from '../policy-evaluation.js';
import type { PolicySet } from '../policy-set.js';
import type { DeviceSelector } from '../selectors.js';

/** Rules and exemptions whose device selectors match no function of a host, in words. */
export function unmatchedSelectors(
  { rules, exemptions = [] }: Pick<PolicySet, 'rules' | 'exemptions'>,
  { functions }: Inventory,
): string[] {
  const matchesNothing = (selectors: readonly DeviceSelector[] | undefined) =>
    selectors?.filter((selector) => !functions.some((fn) => deviceMatches(selector, fn.bdf, fn))) ?? [];
  const lines: string[] = [];
  const tell = (file: string, who: string, selectors: readonly DeviceSelector[]) => {
    for (const selector of selectors) {
      const fields = Object.entries(selector)
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => `${name} ${value}`);
      lines.push(`${file}: ${who} selects ${fields.join(', ')}, which no function of this host matches.`);
    }
  };
  for (const { policy, file, rule } of rules) {
    tell(file, `rule ${policy}/${rule.name}`, matchesNothing(rule.match?.devices));
  }
  for (const { name, file, match } of exemptions) {
    tell(file, `exemption ${name}`, matchesNothing(match.devices));
  }
  return lines;
}
