import type { PlacedRule } from '../policy-set.js';

/**
 * Lets rules share what they have in common, which of a fleet's is most: names, descriptions and lists. What is kept of a
 * rule then is a third, and it is what survives of a reading that decisions wait for while memory is collected.
 */
export class SharedParts {
  private readonly texts = new Map<string, string>();
  private readonly lists = new Map<string, readonly string[]>();

  /** Changes the rule in place. */
  share(placed: PlacedRule): PlacedRule {
    const { rule } = placed;
    placed.policy = this.text(placed.policy);
    placed.file = this.text(placed.file);
    if (rule.description !== undefined) rule.description = this.text(rule.description);
    if (Array.isArray(rule.require)) rule.require = this.list(rule.require);
    if (rule.mitigations) rule.mitigations = this.list(rule.mitigations);
    return placed;
  }

  private text(text: string): string {
    const known = this.texts.get(text);
    if (known === undefined) this.texts.set(text, text);
    return known ?? text;
  }

  private list<T extends string>(list: T[]): T[] {
    const key = list.join(' ');
    const known = this.lists.get(key) as T[] | undefined;
    if (!known) this.lists.set(key, list);
    return known ?? list;
  }
}
