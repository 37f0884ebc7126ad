import { sha256 } from '../canonical-json.js';
import { readDomain, type DomainDocument } from './domain-document.js';
import { appendChild, escapeAttribute, insertBefore, replaceElement } from './insertion.js';
import { isFilterRecord, recordFilter, type FilterRecord } from './filter-record.js';
import {
  isPlacementRecord,
  joinPlacements,
  recordPlacement,
  type PlacementRecord,
  type RecordedEdit,
} from './placement-record.js';
import { applySplices, invertSplices, type Splice } from './splice.js';
import { childNamed, localName, namespaceOf, type XmlElement } from './xml-reader.js';

/** Namespace of our element below `<metadata>`; libvirt keeps one element a namespace and passes it through. */
export const WARDEN_NAMESPACE = 'https://vfio-warden.dev/domain/1';

/** What `virsh dumpxml` shall tell of a decision. */
export interface WardenMetadata {
  decision: string;
  policy: string;
  /** One line an applied mechanism. */
  applied: readonly { mechanism: string; devices: readonly string[] }[];
}

/** What leads from the edited document back to the one before; kept in the document itself. */
export interface UndoRecord {
  /** SHA-256 of the edited document without our metadata: tells whether somebody changed or reformatted it since. */
  digest: string;
  /** Splices of that document. */
  splices: Splice[];
  /** What our metadata element replaced, and how many code units around it came with it. */
  metadata: { before: number; after: number; replaced: string };
  /** The same in terms that survive reformatting; absent where the edits did more than to place devices. */
  placement?: PlacementRecord;
  /** What the edits, and those before them, added for the config filter. */
  filter?: FilterRecord;
}

const CLOSING = '</warden:vfio-warden>';
const UNDO = '<warden:undo>';
const EMPTY_UNDO = `${UNDO}</warden:undo>`;

/** Our element in a domain, if it carries one. */
export function findMetadata(domain: XmlElement): XmlElement | undefined {
  return childNamed(domain, 'metadata')?.children.find(
    (child) => localName(child) === 'vfio-warden' && namespaceOf(child) === WARDEN_NAMESPACE,
  );
}

/** The splice that writes our metadata beside the given edits of the same document, with what undoes them all. */
export function writeMetadata(
  document: DomainDocument,
  edits: readonly RecordedEdit[],
  content: WardenMetadata,
): Splice {
  const splices = edits.flatMap((edit) => edit.splices);
  const placed = place(document, render(content));
  const opening = placed.text.indexOf('<warden:vfio-warden');
  const placement = placementSoFar(
    document,
    edits.filter(({ kind }) => kind !== 'set-filter'),
  );
  const filter = filterSoFar(
    document,
    edits.filter(({ kind }) => kind === 'set-filter').flatMap((edit) => edit.splices),
  );
  const record: UndoRecord = {
    digest: sha256(applySplices(document.text, splices)),
    splices: invertSplices(document.text, splices),
    metadata: {
      before: opening,
      after: placed.text.length - placed.text.lastIndexOf(CLOSING) - CLOSING.length,
      replaced: document.text.slice(placed.start, placed.end),
    },
    ...(placement && { placement }),
    ...(filter && { filter }),
  };
  const undo = placed.text.lastIndexOf(EMPTY_UNDO) + UNDO.length;
  const text = placed.text.slice(0, undo) + escapeText(JSON.stringify(record)) + placed.text.slice(undo);
  return { ...placed, text };
}

/** What these edits and those before them, which the document already carries, did together. */
function placementSoFar(
  document: DomainDocument,
  edits: readonly RecordedEdit[],
): PlacementRecord | undefined {
  const now = recordPlacement(document, edits);
  const own = findMetadata(document.root);
  if (!own || !now) return now;
  const before = readUndoRecord(own)?.placement;
  return before && joinPlacements(before, now);
}

function filterSoFar(document: DomainDocument, edits: readonly Splice[]): FilterRecord | undefined {
  const own = findMetadata(document.root);
  const before = own && readUndoRecord(own)?.filter;
  if (edits.length === 0) return before;
  return recordFilter(document, readDomain(applySplices(document.text, edits)), before);
}

function place(document: DomainDocument, lines: readonly string[]): Splice {
  const { text, root, devices } = document;
  const own = findMetadata(root);
  // Replaced in place, so that two generations of edits never stack up in the document.
  if (own) return replaceElement(own, lines.map((line) => line.trimStart()).join(''));
  const metadata = childNamed(root, 'metadata');
  if (metadata) return appendChild(text, metadata, lines);
  const wrapped = ['<metadata>', ...lines.map((line) => `  ${line}`), '</metadata>'];
  return devices ? insertBefore(text, devices, wrapped) : appendChild(text, root, wrapped);
}

/** Our element's lines, with nothing in the undo record yet: what it says depends on where the element goes. */
function render(content: WardenMetadata): string[] {
  const { decision, policy, applied } = content;
  return [
    `<warden:vfio-warden xmlns:warden='${WARDEN_NAMESPACE}' decision='${escapeAttribute(decision)}' policy='${escapeAttribute(policy)}'>`,
    ...applied.map(
      ({ mechanism, devices }) =>
        `  <warden:applied mechanism='${escapeAttribute(mechanism)}' devices='${escapeAttribute(devices.join(' '))}'/>`,
    ),
    `  ${EMPTY_UNDO}`,
    CLOSING,
  ];
}

/** Reads the undo record of our element; undefined where it is missing or was damaged. */
export function readUndoRecord(own: XmlElement): UndoRecord | undefined {
  const undo = own.children.find((child) => localName(child) === 'undo');
  if (!undo) return undefined;
  try {
    const record: unknown = JSON.parse(undo.text);
    return isUndoRecord(record) ? record : undefined;
  } catch {
    return undefined;
  }
}

function isUndoRecord(value: unknown): value is UndoRecord {
  const record = value as UndoRecord;
  return (
    typeof record?.digest === 'string' &&
    Array.isArray(record.splices) &&
    record.splices.every(
      (splice) => isOffset(splice?.start) && isOffset(splice.end) && typeof splice.text === 'string',
    ) &&
    isOffset(record.metadata?.before) &&
    isOffset(record.metadata.after) &&
    typeof record.metadata.replaced === 'string' &&
    (record.placement === undefined || isPlacementRecord(record.placement)) &&
    (record.filter === undefined || isFilterRecord(record.filter))
  );
}

function isOffset(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0;
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
