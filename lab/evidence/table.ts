import type { Coverage, CoverageRow } from '../../src/mitigation/coverage.js';
import type { Cell, Seen } from './compare.js';
import type { Column } from './observation.js';

const CLAIMED: Record<Coverage, string> = {
  yes: 'closed',
  rule: 'closed by rule',
  'extended-part': 'extended part',
  no: 'open',
};

const SEEN: Record<Seen, string> = {
  closed: 'closed',
  'extended-part': 'extended part',
  open: 'open',
  mixed: 'MIXED',
  'no case': 'NO CASE',
};

/** `claimed / seen (attempts)` of each cell, as a table of Markdown that a terminal shows well, too. */
export function evidenceTable(cells: readonly Cell[]): string {
  const columns = [...new Set(cells.map(({ column }) => column))];
  const rows = [...new Set(cells.map(({ row }) => row))];
  const head = ['exposure', ...columns.map((column) => (column === 'none' ? 'nothing' : column))];
  const body = rows.map((row) => [row, ...columns.map((column) => textOf(cellOf(cells, row, column)))]);
  const widths = head.map((title, index) =>
    Math.max(title.length, ...body.map((line) => line[index]!.length)),
  );
  const line = (texts: readonly string[]) =>
    `| ${texts.map((text, index) => text.padEnd(widths[index]!)).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n');
}

function cellOf(cells: readonly Cell[], row: CoverageRow, column: Column): Cell {
  return cells.find((cell) => cell.row === row && cell.column === column)!;
}

function textOf({ column, claimed, seen, attempts }: Cell): string {
  const claim = column === 'none' ? '' : `${CLAIMED[claimed]} / `;
  return `${claim}${SEEN[seen]} (${attempts})`;
}
