import type { Cycle } from '@keyferry/store';
import type { BareVault } from './bare/bare-vault.ts';
import { type BareProcess, startBareProcess } from './bare-process.ts';
import type { BenchSite } from './bench-site.ts';
import { type BenchKind, type BenchVault, leastCalls, startVault } from './kinds.ts';
import { type Figure, median } from './report.ts';

const secrets = 10_000;
const rounds = 3;
const manySecrets = 100_000;
/** A vault in the same region. */
const latencyMs = 15;
const share = 0.01;
/** How many calls at a time the bare loop is tried with, to find what is best for it. */
const concurrencies = [32, 64, 128];

const works = ['first', 'unchanged', 'changed'] as const satisfies (keyof BareVault)[];
type Times = Record<(typeof works)[number], number[]>;
const noTimes = (): Times => ({ first: [], unchanged: [], changed: [] });

/** A cycle over a vault beside the bare loop of its calls, in alternating runs, and the memory of a worker. */
export async function benchVault(kind: BenchKind, site: BenchSite, log: (line: string) => void): Promise<Figure[]> {
  log(`${kind}: ${secrets} secrets, ${latencyMs} ms a call`);
  const bare = await startBareProcess();
  const worker = await site.startWorker();
  const vault = await startVault(kind, secrets, latencyMs);
  const figures = await compare(site, bare, vault, log);
  await vault.stop();
  await worker.stop();
  bare.stop();
  log(`${kind}: ${manySecrets} secrets in a fresh worker`);
  return [...figures, ...(await measureMemory(kind, site))];
}

async function compare(
  site: BenchSite,
  bare: BareProcess,
  vault: BenchVault,
  log: (line: string) => void,
): Promise<Figure[]> {
  const { kind } = vault;
  const target = { kind, url: vault.url, credentials: vault.credentials };
  const concurrency = await bestConcurrency(bare, target, log);
  const runBare = (work: keyof BareVault, names: string[] = []) => bare.run({ ...target, concurrency, work, names });
  const [bareTimes, cycleTimes] = [noTimes(), noTimes()];
  const calls = { first: 0, unchanged: 0, changed: 0 };
  let written = 0;
  let changes = 0;

  // The first round warms both sides up and is not counted.
  for (let round = 0; round <= rounds; round++) {
    const backend = await site.addBackend(vault.settings);
    const line: string[] = [];
    const measure = async (work: (typeof works)[number], names: string[] = []) => {
      const bareMs = await runBare(work, names);
      const before = await site.keyWrites();
      const { cycle, milliseconds } = await site.cycle(backend);
      if (work === 'unchanged') written += (await site.keyWrites()) - before;
      expectCounts(work, cycle, names.length);
      calls[work] = workOf(cycle);
      line.push(`${work} ${seconds(bareMs)}/${seconds(milliseconds)}`);
      if (round === 0) return;
      bareTimes[work].push(bareMs);
      cycleTimes[work].push(milliseconds);
    };
    await measure('first');
    await measure('unchanged');
    const names = await vault.change(share);
    changes = names.length;
    await measure('changed', names);
    log(`  round ${round}: ${line.join(', ')} s (bare/cycle)`);
  }

  const least = leastCalls(kind, secrets, changes);
  return [
    ...speed(kind, 'first_sync', bareTimes.first, cycleTimes.first, 0.1 * secrets, 1.3),
    ...speed(kind, 'unchanged', bareTimes.unchanged, cycleTimes.unchanged, 300, 1.2),
    ...speed(kind, 'changed_1pct', bareTimes.changed, cycleTimes.changed, null, null),
    { name: `${kind}.bare_concurrency`, value: concurrency, unit: 'calls', bound: null },
    { name: `${kind}.unchanged.key_rows_written`, value: written, unit: 'rows', bound: 0 },
    { name: `${kind}.first_sync.calls_over_least`, value: calls.first / least.first, unit: 'times', bound: 1.01 },
    {
      name: `${kind}.unchanged.calls_over_least`,
      value: calls.unchanged / least.unchanged,
      unit: 'times',
      bound: 1.01,
    },
    { name: `${kind}.changed_1pct.calls_over_least`, value: calls.changed / least.changed, unit: 'times', bound: 1.01 },
  ];
}

async function bestConcurrency(
  bare: BareProcess,
  target: { kind: BenchKind; url: string; credentials: Record<string, string> },
  log: (line: string) => void,
): Promise<number> {
  const found: { concurrency: number; milliseconds: number }[] = [];
  for (const concurrency of concurrencies)
    found.push({ concurrency, milliseconds: await bare.run({ ...target, concurrency, work: 'first', names: [] }) });
  found.sort((one, other) => one.milliseconds - other.milliseconds);
  log(`  bare loop: ${found.map((one) => `${seconds(one.milliseconds)} s with ${one.concurrency}`).join(', ')}`);
  return found[0]?.concurrency ?? 32;
}

/** A ratio of medians with its bound, the larger of `times` and so many milliseconds above the bare loop. */
function speed(
  kind: BenchKind,
  name: string,
  bareMs: number[],
  cycleMs: number[],
  above: number | null,
  times: number | null,
): Figure[] {
  const [bare, cycle] = [median(bareMs), median(cycleMs)];
  const bound = above === null || times === null ? null : Number(Math.max(times, (bare + above) / bare).toFixed(3));
  return [
    { name: `${kind}.${name}.ratio`, value: cycle / bare, unit: 'times', bound },
    { name: `${kind}.${name}.seconds`, value: cycle / 1000, unit: 's', bound: null },
    { name: `${kind}.${name}.bare_seconds`, value: bare / 1000, unit: 's', bound: null },
  ];
}

async function measureMemory(kind: BenchKind, site: BenchSite): Promise<Figure[]> {
  const vault = await startVault(kind, manySecrets, 0);
  const worker = await site.startWorker();
  const backend = await site.addBackend(vault.settings);
  const first = await site.cycle(backend);
  await site.cycle(backend);
  const peak = await worker.peakMegabytes();
  await worker.stop();
  await vault.stop();
  if (first.cycle.counts.added !== manySecrets) throw new Error('not every secret was added');
  return [
    { name: `${kind}.worker.peak_rss_mb`, value: peak, unit: 'MB', bound: 300 },
    { name: `${kind}.first_sync_100k.seconds`, value: first.milliseconds / 1000, unit: 's', bound: null },
  ];
}

/** Calls that are work; logins, probes and detection are counted apart. */
const workOf = (cycle: Cycle) =>
  ['list', 'metadata', 'read', 'confirm', 'history'].reduce((sum, operation) => sum + (cycle.calls[operation] ?? 0), 0);

function expectCounts(work: (typeof works)[number], { counts }: Cycle, changes: number): void {
  const right = {
    first: counts.added === secrets,
    unchanged: counts.unchanged === secrets,
    changed: counts.updated === changes,
  };
  if (!right[work]) throw new Error(`the cycle did not do the work it was measured for: ${JSON.stringify(counts)}`);
}

const seconds = (milliseconds: number) => (milliseconds / 1000).toFixed(2);
