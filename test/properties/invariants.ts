import type { DecideInput } from '../../src/decision/decide-input.js';
import { decide, type DecideResult } from '../../src/decision/decide.js';
import { readDomain } from '../../src/domain-xml/domain-document.js';
import { findMetadata } from '../../src/domain-xml/metadata.js';
import { applySplices } from '../../src/domain-xml/splice.js';
import { filterElements } from '../corpus/filter-elements.js';
import { undoEdits } from '../../src/domain-xml/undo.js';
import { attribute, descend, readXml, type XmlElement } from '../../src/domain-xml/xml-reader.js';

/**
 * What decide() must keep to whatever it is given, in words where it does not: a changed document is well-formed, can be
 * taken back to the byte, and is not changed again; one without edits is the very same text.
 */
export function brokenInvariant(input: DecideInput, { decision, xml }: DecideResult): string | undefined {
  const edited = decision.edits.length > 0;
  if (edited !== (xml !== input.xml))
    return edited ? 'edits, but the same text' : 'another text, but no edits';
  if (!edited) return undefined;
  if (decision.verdict === 'denied') return 'a refused domain was edited';
  if (!decision.devices.some(({ mode }) => mode === 'enforce')) return 'edits, though nothing is enforced';
  readXml(xml);
  if (undoEdits(xml) !== input.xml) return 'undo does not give the original back';
  const again = decide({ ...input, xml });
  if (again.decision.edits.length > 0) {
    return `a second pass edits again: ${again.decision.edits.map(({ summary }) => summary).join('; ')}`;
  }
  return again.xml === xml ? undefined : 'a second pass changes the text';
}

/** Exposures that policy requires closed and that are neither closed nor stated as residual. */
export function unaccounted({ decision }: DecideResult): string[] {
  return decision.devices.flatMap(({ place, required, plan }) => {
    const accounted = new Set([
      ...plan.alreadyClosed.flatMap(({ exposures }) => exposures),
      ...plan.mechanisms.flatMap(({ closes }) => closes),
      ...plan.residual.map(({ exposure }) => exposure),
    ]);
    return required
      .filter((exposure) => !accounted.has(exposure))
      .map((exposure) => `${place}: ${exposure} is neither closed nor residual`);
  });
}

/**
 * What is left of a document without all that a decision may write: our metadata, the PCI controllers and the memory balloon
 * it added, the guest addresses of devices, and for a converted machine its type and every PCI controller. White space that stood around
 * these goes, too. Before and after must be the same here.
 */
export function untouchable(text: string, { decision }: DecideResult): string {
  const { root, assignedDevices } = readDomain(text);
  const converted = decision.edits.some(({ kind }) => kind === 'set-machine');
  const added = new Set(
    decision.edits.filter(({ kind }) => kind === 'add-controller').map(({ target }) => target),
  );
  // A domain has one balloon at most: one that was added is the only one.
  const balloonAdded = decision.edits.some(({ kind }) => kind === 'add-device');
  const cut: { start: number; end: number }[] = [];

  const metadata = descend(root, 'metadata');
  if (metadata) {
    const own = findMetadata(root);
    const others = metadata.children.filter((child) => child !== own);
    if (others.length === 0) cut.push(metadata);
    else if (own) cut.push(own);
  }
  if (decision.edits.some(({ kind }) => kind === 'set-filter')) {
    const ours = filterElements(root);
    // What lies within an element that is cut goes with it.
    cut.push(...[...ours].filter(({ parent }) => !parent || !ours.has(parent)));
  }
  const machine = descend(root, 'os', 'type')?.attributes.get('machine');
  if (converted && machine) cut.push({ start: machine.valueStart, end: machine.valueEnd });

  const assigned = new Set(assignedDevices.map(({ element }) => element));
  for (const device of root.children
    .filter(({ name }) => name === 'devices')
    .flatMap(({ children }) => children)) {
    const isPciController = device.name === 'controller' && attribute(device, 'type') === 'pci';
    const isAdded =
      (isPciController && (converted || added.has(`controller pci ${attribute(device, 'index')}`))) ||
      (balloonAdded && device.name === 'memballoon');
    if (isAdded) {
      cut.push(device);
      continue;
    }
    const isWritten = (address: XmlElement) => assigned.has(device) || attribute(address, 'type') === 'pci';
    cut.push(...device.children.filter((child) => child.name === 'address' && isWritten(child)));
  }
  const rest = applySplices(
    text,
    cut.map(({ start, end }) => ({ start, end, text: '' })),
  );
  // An element without content may have been opened for its new child.
  return rest
    .replaceAll(/\s+/g, '')
    .replaceAll(/<([^\s<>/'"]+)((?:'[^']*'|"[^"]*"|[^<>'"])*?)><\/\1>/g, '<$1$2/>');
}
