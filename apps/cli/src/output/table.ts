import { stripVTControlCharacters } from 'node:util';
import Table from 'cli-table3';
import type { Output } from './output.ts';
import { printable } from './printable.ts';

export type Cell = string | number | null;

/** What stands for nothing. */
const nothing = '-';
/** Two spaces between columns. */
const gap = 2;
/** A column cut down further than this tells nothing. */
const leastWidth = 12;

const noFrame = Object.fromEntries(
  [
    ...['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right'],
    ...['left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid', 'middle'],
  ].map((name) => [name, '']),
);

/** A table with a heading over each column. On a terminal the widest columns are cut so that no line is broken. */
export function table(output: Output, head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  return render(
    output,
    head.map((title) => output.style('bold', title)),
    rows.map((row) => row.map(text)),
  );
}

/** Names and values below each other. */
export function facts(output: Output, rows: readonly (readonly [string, Cell])[]): string {
  return render(
    output,
    [],
    rows.map(([name, value]) => [output.style('bold', name), text(value)]),
  );
}

const text = (cell: Cell): string => (cell === null || cell === '' ? nothing : printable(String(cell)));

function render(output: Output, head: string[], rows: string[][]): string {
  const { isTTY, columns } = output.io.stdout;
  const lines = head.length > 0 ? [head, ...rows] : rows;
  const drawn = new Table({
    chars: noFrame,
    style: { 'padding-left': 0, 'padding-right': gap },
    ...(isTTY && columns && { colWidths: widthsThatFit(lines, columns) }),
  });
  drawn.push(...lines);
  return drawn
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

function widthsThatFit(lines: readonly string[][], columns: number): number[] {
  const length = (cell = '') => stripVTControlCharacters(cell).length + gap;
  const widths = (lines[0] ?? []).map((_, index) => Math.max(...lines.map((line) => length(line[index]))));
  const total = () => widths.reduce((sum, width) => sum + width, 0);
  while (total() > columns && Math.max(...widths) > leastWidth) {
    const widest = widths.indexOf(Math.max(...widths));
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
}
