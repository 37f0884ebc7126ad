import { readFilter } from '../../src/domain-xml/qemu-filter.js';
import type { XmlElement } from '../../src/domain-xml/xml-reader.js';

/** What belongs to the config filter in a domain: its variables and properties, and what stands around nothing else. */
export function filterElements(domain: XmlElement): Set<XmlElement> {
  const { commandline, env, properties } = readFilter(domain);
  const found = new Set([
    ...env.values(),
    ...[...properties.values()].flatMap(({ option, value }) => [option, value]),
  ]);
  if (commandline && commandline.children.every((child) => found.has(child))) found.add(commandline);
  return found;
}
