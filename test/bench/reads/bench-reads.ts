import type { BenchSite } from '../bench-site.ts';
import { type Figure, median } from '../report.ts';
import { load, percentile } from './load.ts';
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
  const most: [bare: number, ours: number][] = [];
  // The first round warms both sides up and is not counted.
  for (let round = 0; round <= rounds; round++) {
    const pair: [number, number] = [
      (await load(bare, { connections, seconds })).rate,
      (await load(ours, { connections, seconds })).rate,
    ];
    log(`reads: ${pair.map(Math.round).join(' / ')} a second (bare / ours)`);
    if (round > 0) most.push(pair);
  }
  const [bareRate, ourRate] = [median(most.map(([rate]) => rate)), median(most.map(([, rate]) => rate))];

  const late: [bare: number, ours: number][] = [];
  for (let round = 0; round < rounds; round++) {
    const half = { connections, seconds, rate: Math.round(ourRate / 2) };
    const p99 = async (target: typeof ours) => percentile((await load(target, half)).latencies, 0.99);
    const pair: [number, number] = [await p99(bare), await p99(ours)];
    log(`reads: p99 ${pair.map((ms) => ms.toFixed(2)).join(' / ')} ms at ${half.rate} a second (bare / ours)`);
    late.push(pair);
  }
  const [bareLate, ourLate] = [median(late.map(([ms]) => ms)), median(late.map(([, ms]) => ms))];
  return [
    { name: 'reads.rate.ratio', value: bareRate / ourRate, unit: 'times', bound: rateBound },
    { name: 'reads.rate', value: ourRate, unit: '/s', bound: null },
    { name: 'reads.half_load_p99.ratio', value: ourLate / bareLate, unit: 'times', bound: latencyBound },
    { name: 'reads.half_load_p99', value: ourLate, unit: 'ms', bound: null },
  ];
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
  const pairs: [one: number, all: number][] = [];
  for (let round = 0; round <= rounds; round++) {
    const pair: [number, number] = [await timeOf(1), await timeOf(synced.length)];
    log(`reads: 1 and ${synced.length} references in ${pair.map((ms) => ms.toFixed(2)).join(' and ')} ms`);
    if (round > 0) pairs.push(pair);
  }
  const [one, all] = [median(pairs.map(([ms]) => ms)), median(pairs.map(([, ms]) => ms))];
  return [
    { name: 'reads.resolve_100.ratio', value: all / one, unit: 'times', bound: resolveBound },
    { name: 'reads.resolve_100', value: all, unit: 'ms', bound: null },
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
