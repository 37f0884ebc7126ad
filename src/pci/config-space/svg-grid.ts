/** The picture's grid: one cell for each of 4,096 bytes; sizes in SVG user units. */
export const GRID = { columns: 64, bytes: 4096, cell: 10, size: 640 } as const;

/** Path of the cells of a run of bytes, which may wrap over lines; the grid's corner is at `left`, `top`. */
export function runOutline(start: number, length: number, left: number, top: number): string {
  const x = (column: number) => left + column * GRID.cell;
  const y = (row: number) => top + row * GRID.cell;
  const firstRow = Math.floor(start / GRID.columns);
  const lastRow = Math.floor((start + length - 1) / GRID.columns);
  const from = start % GRID.columns;
  const to = ((start + length - 1) % GRID.columns) + 1;
  const box = (row: number, left: number, right: number) =>
    `M${x(left)} ${y(row)}H${x(right)}V${y(row + 1)}H${x(left)}Z`;
  if (firstRow === lastRow) return box(firstRow, from, to);
  // Two lines that share no column touch nowhere: an outline around both would draw a border that is none.
  if (lastRow === firstRow + 1 && to <= from) {
    return box(firstRow, from, GRID.columns) + box(lastRow, 0, to);
  }
  return (
    `M${x(from)} ${y(firstRow)}H${x(GRID.columns)}V${y(lastRow)}H${x(to)}V${y(lastRow + 1)}` +
    `H${x(0)}V${y(firstRow + 1)}H${x(from)}Z`
  );
}

/** Middle of the first `cells` cells from a byte on, as far as its line goes. */
export function cellCentre(offset: number, cells: number, left: number, top: number): [x: number, y: number] {
  const column = offset % GRID.columns;
  const width = Math.min(cells, GRID.columns - column);
  const row = Math.floor(offset / GRID.columns);
  return [left + (column + width / 2) * GRID.cell, top + (row + 0.5) * GRID.cell];
}
