import { sweep } from '@keyferry/pipeline';
import type { BenchSite } from '../bench-site.ts';

/** Sweeps, and makes sure that it did the work it is measured for and no other. */
export async function expectSwept({ services }: BenchSite, wanted: Record<string, number>): Promise<void> {
  const counts = await sweep(services);
  const wrong = Object.entries(counts).some(([event, swept]) => swept !== (wanted[event] ?? 0));
  if (wrong) throw new Error(`the sweep did not do the work it was measured for: ${JSON.stringify(counts)}`);
}

export async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

export const seconds = (milliseconds: number) => (milliseconds / 1000).toFixed(2);
