import { onOneLine } from './printable.ts';

/** Aligned columns with a heading. The last column is cut to the width, if there is one. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[], width?: number): string {
  const shown = rows.map((cells) => cells.map(onOneLine));
  const widths = columnWidths(headings, shown);
  return [headings, ...shown].map((cells) => `${line(cells, widths, width)}\n`).join('');
}

export function columnWidths(headings: readonly string[], rows: readonly (readonly string[])[]): number[] {
  return headings.map((heading, index) => Math.max(heading.length, ...rows.map((cells) => cells[index]?.length ?? 0)));
}

/** One row, aligned to columns of these widths. */
export function line(cells: readonly string[], widths: readonly number[], width?: number): string {
  const text = cells
    .map((cell, index) => (index === cells.length - 1 ? cell : cell.padEnd(widths[index] ?? 0)))
    .join('  ')
    .trimEnd();
  return width !== undefined && text.length > width ? `${text.slice(0, Math.max(1, width - 1))}…` : text;
}
