import { EXTENDED_SIZE } from './capability-tables.js';
import type { ConfigSpaceLayout, Owner } from './layout.js';

/** Bytes in a row of the picture: 64 rows of 64 are a config space of 4,096 bytes. */
export const ROW_BYTES = 64;
/** Width and height of a byte's cell. */
export const CELL = 11;

/** Where the picture ends: at the function's size or, where that is not known, at the most there can be. */
export function mapEnd({ configSize }: ConfigSpaceLayout): number {
  return configSize ?? EXTENDED_SIZE;
}

/** Top left corner of a byte's cell. */
export function cellAt(offset: number): { x: number; y: number } {
  return { x: (offset % ROW_BYTES) * CELL, y: Math.floor(offset / ROW_BYTES) * CELL };
}

/** Path data that covers the cells of a run of bytes: at most a part of a row, a block of rows, a part of a row. */
export function runPath(start: number, length: number): string {
  const end = start + length;
  const parts: string[] = [];
  for (let at = start; at < end;) {
    const toRowEnd = ROW_BYTES - (at % ROW_BYTES);
    const wholeRows = toRowEnd === ROW_BYTES ? Math.floor((end - at) / ROW_BYTES) : 0;
    const width = wholeRows > 0 ? ROW_BYTES : Math.min(toRowEnd, end - at);
    const { x, y } = cellAt(at);
    parts.push(`M${x} ${y}h${width * CELL}v${Math.max(wholeRows, 1) * CELL}h${-width * CELL}z`);
    at += width * Math.max(wholeRows, 1);
  }
  return parts.join('');
}

/** Path data of the lines between bytes of different owners. */
export function borderPath(owner: readonly Owner[]): string {
  const parts: string[] = [];
  for (let at = 1; at < owner.length; at++) {
    if (at % ROW_BYTES === 0 || owner[at] === owner[at - 1]) continue;
    const { x, y } = cellAt(at);
    parts.push(`M${x} ${y}v${CELL}`);
  }
  const differsAbove = (at: number) => at < owner.length && owner[at] !== owner[at - ROW_BYTES];
  for (let at = ROW_BYTES; at < owner.length; at++) {
    if (!differsAbove(at)) continue;
    const { x, y } = cellAt(at);
    let width = 1;
    while ((at + 1) % ROW_BYTES !== 0 && differsAbove(at + 1)) {
      width += 1;
      at += 1;
    }
    parts.push(`M${x} ${y}h${width * CELL}`);
  }
  return parts.join('');
}
