import { sha256 } from '../canonical-json.js';
import { LocatedError } from '../located-error.js';
import { readDomain } from './domain-document.js';
import { findMetadata, readUndoRecord } from './metadata.js';
import { applySplices, type Splice } from './splice.js';
import { placeOf } from './xml-reader.js';

/**
 * Takes the last edits of ours back: `undo(edit(x)) === x`, byte for byte.
 *
 * @throws LocatedError where the document carries no edits of ours, or was changed or reformatted since: then bytes
 * cannot be restored, and guessing at them could lose what somebody else changed
 */
export function undoEdits(text: string): string {
  const { root } = readDomain(text);
  const own = findMetadata(root);
  if (!own) {
    throw new LocatedError(
      'the domain carries no edits of vfio-warden',
      placeOf(text, root.start),
      'There is nothing to undo.',
    );
  }
  const place = placeOf(text, own.start);
  const record = readUndoRecord(own);
  if (!record) refuseDamaged(place);
  const { before, after, replaced } = record.metadata;
  const edited = text.slice(0, Math.max(0, own.start - before)) + replaced + text.slice(own.end + after);
  if (sha256(edited) !== record.digest) {
    throw new LocatedError(
      'the document was changed or reformatted since vfio-warden edited it',
      place,
      'Define the domain again from its original XML, or remove the elements that the metadata names by hand.',
    );
  }
  if (!fit(record.splices, edited.length)) refuseDamaged(place);
  return applySplices(edited, record.splices);
}

function refuseDamaged(place: string): never {
  throw new LocatedError(
    'the undo record is missing or damaged',
    place,
    'Define the domain again from its original XML.',
  );
}

/** Whether splices from outside are in order, apart, and inside the text. */
function fit(splices: readonly Splice[], length: number): boolean {
  return splices.every(
    ({ start, end }, index) => start >= (splices[index - 1]?.end ?? 0) && end >= start && end <= length,
  );
}
