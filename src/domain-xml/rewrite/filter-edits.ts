import type { DomainDocument } from '../domain-document.js';
import { appendChild, escapeAttribute, removeElement, setAttribute } from '../insertion.js';
import { FILTER_PROPERTIES, readFilter, type PresentFilter } from '../qemu-filter.js';
import { QEMU_NAMESPACE } from '../qemu-arguments.js';
import type { Splice } from '../splice.js';
import type { XmlElement } from '../xml-reader.js';
import type { DocumentEdit } from './document-edit.js';

/** The config filter that a domain is to have. */
export interface WantedFilter {
  /** How it reaches QEMU: a property of vfio-pci, or a library that is preloaded. */
  carrier: 'property' | 'preload';
  /** Path of the library. */
  library: string;
  /** Rules of all its devices: `BDF=RULES BDF=RULES`. */
  rules: string;
  /** Whether writes to a window that QEMU traps must not be handed to KVM after some equal ones. */
  noIoeventfd: boolean;
}

/**
 * What gives a domain its filter, whether or not it has one already. It is written to `<qemu:commandline>`, not to
 * `<qemu:override>`: that does not reach devices that are plugged in later, and KubeVirt does not keep it.
 */
export function filterEdits(document: DomainDocument, wanted: WantedFilter): DocumentEdit[] {
  const present = readFilter(document.root);
  const { text, root } = document;
  const added: string[] = [];
  const splices: Splice[] = [];
  const prefix = prefixOf(present.commandline);

  const setEnv = (name: string, value: string) => {
    const element = present.env.get(name);
    const before = element?.attributes.get('value')?.value;
    if (before === value) return;
    if (element) splices.push(setAttribute(text, element, 'value', value));
    else added.push(`<${prefix}env name='${name}' value='${escapeAttribute(value)}'/>`);
  };
  const setProperty = (name: string, value: string) => {
    const element = present.properties.get(name)?.value;
    const argument = `vfio-pci.${name}=${value}`;
    if (element?.attributes.get('value')?.value === argument) return;
    if (element) splices.push(setAttribute(text, element, 'value', argument));
    else
      added.push(`<${prefix}arg value='-global'/>`, `<${prefix}arg value='${escapeAttribute(argument)}'/>`);
  };

  if (wanted.carrier === 'preload') {
    setEnv('LD_PRELOAD', withLibrary(present, wanted.library));
    setEnv('VFIO_WARDEN_FILTER', 'block');
    setEnv('VFIO_WARDEN_RULES', wanted.rules);
    splices.push(...withoutProperties(text, present));
  } else {
    setProperty('x-config-filter', 'block');
    setProperty('x-config-filter-rules', wanted.rules);
    splices.push(...withoutLibrary(text, present, wanted.library));
  }
  if (wanted.noIoeventfd) setProperty('x-no-kvm-ioeventfd', 'on');
  if (added.length > 0) splices.push(addition(document, root, present.commandline, added));
  if (splices.length === 0) return [];
  const how =
    wanted.carrier === 'property' ? 'its property x-config-filter' : `the library ${wanted.library}`;
  return [
    { kind: 'set-filter', target: 'QEMU', summary: `QEMU filters by ${how}: ${wanted.rules}`, splices },
  ];
}

function addition(
  { text }: DomainDocument,
  root: XmlElement,
  commandline: XmlElement | undefined,
  lines: string[],
): Splice {
  if (commandline) return appendChild(text, commandline, lines);
  // Declared where it is used: the element of the domain stays as it was.
  const declared = root.attributes.get('xmlns:qemu')?.value === QEMU_NAMESPACE;
  const opening = declared ? '<qemu:commandline>' : `<qemu:commandline xmlns:qemu='${QEMU_NAMESPACE}'>`;
  return appendChild(text, root, [opening, ...lines.map((line) => `  ${line}`), '</qemu:commandline>']);
}

function prefixOf(commandline: XmlElement | undefined): string {
  if (!commandline) return 'qemu:';
  const colon = commandline.name.indexOf(':');
  return commandline.name.slice(0, colon + 1);
}

/** The dynamic loader takes colons and blanks for separators; ours comes first, so that it is asked first. */
function withLibrary({ env }: PresentFilter, library: string): string {
  const before = env.get('LD_PRELOAD')?.attributes.get('value')?.value ?? '';
  const others = before.split(/[: ]+/).filter((path) => path !== '' && path !== library);
  return before.split(/[: ]+/)[0] === library ? before : [library, ...others].join(':');
}

/** What the other carrier left: two filters would each need the same rules. */
function withoutProperties(text: string, { properties }: PresentFilter): Splice[] {
  return FILTER_PROPERTIES.flatMap((name) => {
    const pair = properties.get(name);
    return pair ? [removeElement(text, pair.option), removeElement(text, pair.value)] : [];
  });
}

function withoutLibrary(text: string, { env }: PresentFilter, library: string): Splice[] {
  const splices: Splice[] = [];
  for (const [name, element] of env) {
    const value = element.attributes.get('value')?.value ?? '';
    if (name === 'LD_PRELOAD') {
      const others = value.split(/[: ]+/).filter((path) => path !== '' && path !== library);
      if (!value.split(/[: ]+/).includes(library)) continue;
      splices.push(
        others.length === 0
          ? removeElement(text, element)
          : setAttribute(text, element, 'value', others.join(':')),
      );
    } else splices.push(removeElement(text, element));
  }
  return splices;
}
