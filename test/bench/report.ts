import { writeFile } from 'node:fs/promises';

export interface Figure {
  name: string;
  value: number;
  unit: string;
  /** The most it may be, or null where it is told without a bound. */
  bound: number | null;
}

export const median = (values: readonly number[]): number =>
  [...values].sort((left, right) => left - right)[Math.floor(values.length / 2)] as number;

/** Prints the figures as a table and writes them to `bench-results.json`. Returns whether all are within their bounds. */
export async function report(figures: readonly Figure[]): Promise<boolean> {
  const width = Math.max(...figures.map((figure) => figure.name.length));
  let within = true;
  console.log(`${'figure'.padEnd(width)}  ${'value'.padStart(10)}  ${'bound'.padStart(8)}  unit`);
  for (const { name, value, unit, bound } of figures) {
    const over = bound !== null && value > bound;
    within &&= !over;
    const number = value.toFixed(value < 100 ? 3 : 0).padStart(10);
    const limit = (bound === null ? '-' : String(bound)).padStart(8);
    console.log(`${name.padEnd(width)}  ${number}  ${limit}  ${unit}${over ? '  OVER' : ''}`);
  }
  await writeFile('bench-results.json', `${JSON.stringify(figures, null, 2)}\n`);
  return within;
}
