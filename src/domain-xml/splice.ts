/** A replacement of `text.slice(start, end)`; offsets are UTF-16 code units of the text it was made for. */
export interface Splice {
  start: number;
  end: number;
  text: string;
}

/**
 * Applies splices that were all made for the same text. Those at the same place are applied in the given order.
 *
 * @throws Error where two splices overlap: that is a bug of the caller, not bad input
 */
export function applySplices(text: string, splices: readonly Splice[]): string {
  let result = '';
  let at = 0;
  for (const splice of inOrder(splices)) {
    if (splice.start < at || splice.end < splice.start || splice.end > text.length) {
      throw new Error(`splices overlap or leave the text at offset ${splice.start}`);
    }
    result += text.slice(at, splice.start) + splice.text;
    at = splice.end;
  }
  return result + text.slice(at);
}

/** The splices that lead from `applySplices(text, splices)` back to `text`. */
export function invertSplices(text: string, splices: readonly Splice[]): Splice[] {
  let shift = 0;
  return inOrder(splices).map((splice) => {
    const start = splice.start + shift;
    shift += splice.text.length - (splice.end - splice.start);
    return { start, end: start + splice.text.length, text: text.slice(splice.start, splice.end) };
  });
}

function inOrder(splices: readonly Splice[]): Splice[] {
  // Array.prototype.sort is stable, so insertions at one place keep their order.
  return splices.toSorted((a, b) => a.start - b.start || a.end - b.end);
}
