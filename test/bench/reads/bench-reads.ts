import type { BenchSite } from '../bench-site.ts';
import { type Figure, median } from '../report.ts';
import { load, percentile, processorSeconds } from './load.ts';
import { openReadingSite, type ReadingSite } from './reading-site.ts';

type Log = (line: string) => void;
type Measure = (site: ReadingSite, log: Log) => Promise<Figure[]>;

const rounds = 3;
const seconds = 5;
const connections = 32;
/** How often reading through the API may take what a bare route that answers the same bytes takes. */
const rateBound = 2;
const latencyBound = 5;
const resolveBound = 3;
const readers = 50;

/** What is measured of reading, one after the other on one site. */
const measures: readonly Measure[] = [rates, resolving, sharedCalls];

/** Reading secrets through the API, beside a bare route in the same run. */
export async function benchReads(site: BenchSite, log: Log): Promise<Figure[]> {
  await using reading = await openReadingSite(site);
  const figures: Figure[] = [];
  for (const measure of measures) figures.push(...(await measure(reading, log)));
  return figures;
}

/** A synced secret, as fast as it goes, and how long an answer takes at half of that. */
async function rates({ ours, bare }: ReadingSite, log: Log): Promise<Figure[]> {
  const rounds = await alternately([bare, ours], async (target) => {
    const before = await processorSeconds(target.pid);
    const { rate, latencies } = await load(target, { connections, seconds });
    return { rate, work: ((await processorSeconds(target.pid)) - before) / latencies.length };
  });
  for (const [one, other] of rounds)
    log(`reads: ${Math.round(one.rate)} / ${Math.round(other.rate)} a second (bare / ours)`);
  const rate = median(rounds.map(([, { rate }]) => rate));

  const half = { connections, seconds, rate: Math.round(rate / 2) };
  const late = await alternately([bare, ours], async (target) =>
    percentile((await load(target, half)).latencies, 0.99),
  );
  for (const [one, other] of late)
    log(`reads: p99 ${one.toFixed(2)} / ${other.toFixed(2)} ms at ${half.rate} a second (bare / ours)`);
  return [
    {
      name: 'reads.rate.ratio',
      value: median(rounds.map(([one, other]) => one.rate / other.rate)),
      unit: 'times',
      bound: rateBound,
    },
    // Also where it is the asking side that is busy.
    {
      name: 'reads.processor.ratio',
      value: median(rounds.map(([one, other]) => other.work / one.work)),
      unit: 'times',
      bound: rateBound,
    },
    { name: 'reads.rate', value: rate, unit: '/s', bound: null },
    {
      name: 'reads.half_load_p99.ratio',
      value: median(late.map(([one, other]) => other / one)),
      unit: 'times',
      bound: latencyBound,
    },
    { name: 'reads.half_load_p99', value: median(late.map(([, other]) => other)), unit: 'ms', bound: null },
  ];
}

/** Measures both in turn, round by round. The first round warms both sides up and is not counted. */
async function alternately<Side, Measured>(
  [one, other]: readonly [Side, Side],
  measure: (side: Side) => Promise<Measured>,
): Promise<[Measured, Measured][]> {
  const pairs: [Measured, Measured][] = [];
  for (let round = 0; round <= rounds; round++) pairs.push([await measure(one), await measure(other)]);
  return pairs.slice(1);
}

/** A hundred references in one request, beside one. */
async function resolving({ address, headers, synced }: ReadingSite, log: Log): Promise<Figure[]> {
  const timeOf = async (count: number) => {
    const references = synced.slice(0, count).map((path) => `vault.${path}`);
    const target = {
      url: `${address}/v1/secrets/resolve`,
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ references }),
    };
    return percentile((await load(target, { connections: 1, seconds: 2 })).latencies, 0.5);
  };
  const pairs = await alternately([1, synced.length], timeOf);
  for (const [one, all] of pairs)
    log(`reads: 1 and ${synced.length} references in ${one.toFixed(2)} and ${all.toFixed(2)} ms`);
  return [
    {
      name: 'reads.resolve_100.ratio',
      value: median(pairs.map(([one, all]) => all / one)),
      unit: 'times',
      bound: resolveBound,
    },
    { name: 'reads.resolve_100', value: median(pairs.map(([, all]) => all)), unit: 'ms', bound: null },
  ];
}

/** Many readers of one proxied secret at a time. */
async function sharedCalls({ vault, address, headers, proxied }: ReadingSite): Promise<Figure[]> {
  const read = async () => {
    const answer = await fetch(`${address}/v1/secrets/${proxied}`, { headers });
    if (answer.status !== 200) throw new Error(`reading ${proxied} was answered with ${answer.status}`);
    await answer.arrayBuffer();
  };
  // So that what is done once for a connection is done.
  await read();
  vault.setLatency(250);
  vault.requests.reset();
  await Promise.all(Array.from({ length: readers }, read));
  vault.setLatency(0);
  return [{ name: `reads.proxied_by_${readers}.calls`, value: vault.requests.total, unit: 'calls', bound: 1 }];
}
