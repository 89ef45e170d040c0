import { type SpawnedEmulator, spawnEmulator } from '@keyferry/emulators';
import type { Cycle } from '@keyferry/store';
import { type BareProcess, startBareProcess } from './bare-process.ts';
import type { BenchSite } from './bench-site.ts';
import { type Figure, median } from './report.ts';

const secrets = 10_000;
const folders = 100;
const rounds = 3;
const manySecrets = 100_000;
/** A vault in the same region. */
const latencyMs = 15;

/** Calls that are work; logins, probes and detection are counted apart. */
const workOf = (cycle: Cycle) =>
  ['list', 'metadata', 'read', 'confirm'].reduce((sum, operation) => sum + (cycle.calls[operation] ?? 0), 0);

/** A cycle over a HashiCorp Vault beside the bare loop of its calls, in alternating runs. */
export async function benchHashicorp(site: BenchSite, log: (line: string) => void): Promise<Figure[]> {
  const bare = await startBareProcess();
  const worker = await site.startWorker();
  const figures: Figure[] = [];
  for (const [suffix, delay] of [
    ['', latencyMs],
    ['.no_latency', 0],
  ] as const) {
    const vault = await seeded(secrets, delay);
    log(`${secrets} secrets, ${delay} ms a call`);
    figures.push(...(await compare(site, bare, vault, suffix, log)));
    await vault.stop();
  }
  await worker.stop();
  bare.stop();
  log(`${manySecrets} secrets in a fresh worker`);
  figures.push(...(await measureMemory(site)));
  return figures;
}

async function compare(
  site: BenchSite,
  bare: BareProcess,
  vault: SpawnedEmulator<'hashicorp'>,
  suffix: string,
  log: (line: string) => void,
): Promise<Figure[]> {
  const at = { address: vault.url, token: vault.controlToken };
  const first = { bare: [] as number[], cycle: [] as number[] };
  const unchanged = { bare: [] as number[], cycle: [] as number[] };
  const changed = { bare: [] as number[], cycle: [] as number[] };
  let firstCalls = 0;
  let unchangedCalls = 0;
  let changedCalls = 0;
  let unchangedWrites = 0;
  // The first round warms both processes up and is not counted.
  for (let round = 0; round <= rounds; round++) {
    const keep = (into: { bare: number[]; cycle: number[] }, bareMs: number, cycleMs: number) => {
      if (round > 0) into.bare.push(bareMs) && into.cycle.push(cycleMs);
    };
    const backend = await site.addBackend({ url: vault.url, rootToken: vault.controlToken });
    const bareFirst = await bare.run({ ...at, revisions: false, read: 'all' });
    const cycleFirst = await site.cycle(backend);
    keep(first, bareFirst, cycleFirst.milliseconds);
    firstCalls = workOf(cycleFirst.cycle);

    const bareUnchanged = await bare.run({ ...at, revisions: true, read: 'none' });
    const before = await site.keyWrites();
    const cycleUnchanged = await site.cycle(backend);
    keep(unchanged, bareUnchanged, cycleUnchanged.milliseconds);
    unchangedWrites += (await site.keyWrites()) - before;
    unchangedCalls = workOf(cycleUnchanged.cycle);

    const { changed: paths } = await vault.control('change', { mount: 'secret', share: 0.01 });
    const bareChanged = await bare.run({ ...at, revisions: true, read: paths });
    const cycleChanged = await site.cycle(backend);
    keep(changed, bareChanged, cycleChanged.milliseconds);
    changedCalls = workOf(cycleChanged.cycle);
    expectCounts(cycleFirst.cycle, cycleUnchanged.cycle, cycleChanged.cycle, paths.length);
    log(
      `  round ${round}: first ${seconds(bareFirst)}/${seconds(cycleFirst.milliseconds)}, unchanged ${seconds(bareUnchanged)}/${seconds(cycleUnchanged.milliseconds)}, changed ${seconds(bareChanged)}/${seconds(cycleChanged.milliseconds)} s (bare/cycle)`,
    );
  }

  const listings = folders + 1;
  const bounded = (value: number) => (suffix === '' ? value : null);
  const name = (part: string) => `hashicorp.${part}${suffix}`;
  const bareUnchanged = median(unchanged.bare);
  const figures: Figure[] = [
    {
      name: name('first_sync.ratio'),
      value: median(first.cycle) / median(first.bare),
      unit: 'times',
      bound: bounded(1.5),
    },
    { name: name('first_sync.seconds'), value: median(first.cycle) / 1000, unit: 's', bound: null },
    { name: name('first_sync.bare_seconds'), value: median(first.bare) / 1000, unit: 's', bound: null },
    {
      name: name('unchanged.ratio'),
      value: median(unchanged.cycle) / bareUnchanged,
      unit: 'times',
      // 1.2 times the bare loop, or 0.3 s above it, whichever is more.
      bound: bounded(Number(Math.max(1.2, (bareUnchanged + 300) / bareUnchanged).toFixed(3))),
    },
    { name: name('unchanged.seconds'), value: median(unchanged.cycle) / 1000, unit: 's', bound: null },
    { name: name('unchanged.bare_seconds'), value: bareUnchanged / 1000, unit: 's', bound: null },
    { name: name('unchanged.key_rows_written'), value: unchangedWrites, unit: 'rows', bound: bounded(0) },
    {
      name: name('changed_1pct.ratio'),
      value: median(changed.cycle) / median(changed.bare),
      unit: 'times',
      bound: null,
    },
  ];
  if (suffix === '')
    figures.push(
      {
        name: 'hashicorp.first_sync.calls_over_least',
        value: firstCalls / (listings + secrets),
        unit: 'times',
        bound: 1.01,
      },
      {
        name: 'hashicorp.unchanged.calls_over_least',
        value: unchangedCalls / (listings + secrets),
        unit: 'times',
        bound: 1.01,
      },
      {
        name: 'hashicorp.changed_1pct.calls_over_least',
        value: changedCalls / (listings + secrets * 1.01),
        unit: 'times',
        bound: 1.01,
      },
    );
  return figures;
}

async function measureMemory(site: BenchSite): Promise<Figure[]> {
  const vault = await seeded(manySecrets, 0);
  const worker = await site.startWorker();
  const backend = await site.addBackend({ url: vault.url, rootToken: vault.controlToken });
  const first = await site.cycle(backend);
  const firstPeak = await worker.peakMegabytes();
  await site.cycle(backend);
  const peak = await worker.peakMegabytes();
  await worker.stop();
  await vault.stop();
  if (first.cycle.counts.added !== manySecrets) throw new Error('not every secret was added');
  return [
    { name: 'hashicorp.worker.peak_rss_mb', value: peak, unit: 'MB', bound: 300 },
    { name: 'hashicorp.worker.first_sync_peak_rss_mb', value: firstPeak, unit: 'MB', bound: null },
    { name: 'hashicorp.first_sync_100k.seconds', value: first.milliseconds / 1000, unit: 's', bound: null },
  ];
}

async function seeded(count: number, delay: number): Promise<SpawnedEmulator<'hashicorp'>> {
  const vault = await spawnEmulator('hashicorp', { latencyMs: delay });
  await vault.control('enable', { path: 'secret', type: 'kv', version: 2 });
  await vault.control('seed', { mount: 'secret', count, prefix: 'bifrost', groups: folders });
  return vault;
}

function expectCounts(first: Cycle, unchanged: Cycle, changed: Cycle, changes: number): void {
  const right =
    first.counts.added === secrets && unchanged.counts.unchanged === secrets && changed.counts.updated === changes;
  if (!right) throw new Error('the cycles did not do the work they were measured for');
}

const seconds = (milliseconds: number) => (milliseconds / 1000).toFixed(2);
