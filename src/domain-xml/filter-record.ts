import type { DomainDocument } from './domain-document.js';
import { removeElement, setAttribute } from './insertion.js';
import { readFilter } from './qemu-filter.js';
import type { Splice } from './splice.js';
import { attribute, type XmlElement } from './xml-reader.js';

/** What edits did to give a domain its config filter, told by what libvirt keeps however it reformats the document. */
export interface FilterRecord {
  /** Path of the library that was put into LD_PRELOAD. */
  library?: string;
  /** Properties of vfio-pci that were added with `-global`. */
  properties: string[];
}

export function isFilterRecord(value: unknown): value is FilterRecord {
  const record = value as FilterRecord;
  return (
    (record?.library === undefined || typeof record.library === 'string') &&
    Array.isArray(record?.properties) &&
    record.properties.every((name) => typeof name === 'string')
  );
}

/** What going from one document to the next added of a filter, on top of what was added before. */
export function recordFilter(
  before: DomainDocument,
  after: DomainDocument,
  earlier: FilterRecord | undefined,
): FilterRecord | undefined {
  const had = readFilter(before.root);
  const has = readFilter(after.root);
  const preloaded = (present: typeof has) => paths(present.env.get('LD_PRELOAD'));
  const library = has.env.has('VFIO_WARDEN_RULES')
    ? (preloaded(has).find((path) => !preloaded(had).includes(path)) ?? earlier?.library)
    : undefined;
  const ours = (name: string) => !had.properties.has(name) || earlier?.properties.includes(name);
  const properties = [...has.properties.keys()].filter(ours);
  if (library === undefined && properties.length === 0) return undefined;
  return { properties, ...(library !== undefined && { library }) };
}

/** Takes the filter out of a document again; what others have put beside it stays. */
export function removeFilter(document: DomainDocument, record: FilterRecord): Splice[] {
  const { text, root } = document;
  const { env, properties } = readFilter(root);
  const gone = new Set<XmlElement>();
  const splices: Splice[] = [];
  const remove = (element: XmlElement | undefined) => element && gone.add(element);
  for (const name of record.properties) {
    remove(properties.get(name)?.option);
    remove(properties.get(name)?.value);
  }
  if (record.library !== undefined) {
    remove(env.get('VFIO_WARDEN_RULES'));
    remove(env.get('VFIO_WARDEN_FILTER'));
    const preload = env.get('LD_PRELOAD');
    const others = paths(preload).filter((path) => path !== record.library);
    if (preload && others.length === 0) remove(preload);
    else if (preload && others.length < paths(preload).length) {
      splices.push(setAttribute(text, preload, 'value', others.join(':')));
    }
  }
  // An element of which nothing is left goes as a whole.
  const emptied = new Set(
    [...gone]
      .map(({ parent }) => parent!)
      .filter((parent) => parent.children.every((child) => gone.has(child))),
  );
  for (const commandline of emptied) splices.push(removeElement(text, commandline));
  for (const element of gone) if (!emptied.has(element.parent!)) splices.push(removeElement(text, element));
  return splices;
}

function paths(preload: XmlElement | undefined): string[] {
  return ((preload && attribute(preload, 'value')) ?? '').split(/[: ]+/).filter((path) => path !== '');
}
