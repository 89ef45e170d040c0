import type { BenchSite } from '../bench-site.ts';
import { type Figure, median } from '../report.ts';
import { besideSyncs } from './beside-syncs.ts';
import { type ManyKeys, makeManyKeys } from './million.ts';
import { type MeasuredPass, makeDue, measuredPasses } from './passes.ts';
import { reckonings } from './reckonings.ts';
import { expectSwept, seconds, timeOf } from './timing.ts';

const count = 1_000_000;
const backendsOfMany = 20;
const dueShare = 0.01;
const rounds = 3;
/** How often a pass may take what the bare statement takes. */
const bound = 5;
const nothingDueBound = 0.1;

type Log = (line: string) => void;
type OnItsOwn = (measure: (site: BenchSite) => Promise<Figure[]>) => Promise<Figure[]>;

/** What time does to a million keys, in one backend and in twenty, beside bare SQL; and whether syncs go on meanwhile. */
export async function benchLifecycle(onItsOwn: OnItsOwn, log: Log): Promise<Figure[]> {
  const [one, many] = ['lifecycle', `lifecycle_${backendsOfMany}_backends`];
  return [
    ...(await onItsOwn(async (site) => {
      log(`${one}: ${count} keys of one backend`);
      await using keys = await makeManyKeys(site, count, 1);
      return [...(await passesOver(one, site, keys, log)), ...(await besideSyncs(one, site, keys, count, log))];
    })),
    ...(await onItsOwn(async (site) => {
      log(`${many}: ${count} keys of ${backendsOfMany} backends`);
      await using keys = await makeManyKeys(site, count, backendsOfMany);
      return [...(await passesOver(many, site, keys, log)), ...(await reckonings(many, site, keys, log))];
    })),
  ];
}

async function passesOver(name: string, site: BenchSite, keys: ManyKeys, log: Log): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const pass of measuredPasses) figures.push(...(await onePass(name, site, keys, pass, log)));
  const nothing: number[] = [];
  for (let round = 0; round <= rounds; round++) nothing.push(await timeOf(() => expectSwept(site, {})));
  return [
    ...figures,
    { name: `${name}.nothing_due.seconds`, value: median(nothing.slice(1)) / 1000, unit: 's', bound: nothingDueBound },
  ];
}

async function onePass(name: string, site: BenchSite, keys: ManyKeys, pass: MeasuredPass, log: Log) {
  const due = count * dueShare;
  const [bareTimes, sweepTimes]: [number[], number[]] = [[], []];
  const rests: string[] = [];
  // The first round warms both sides up and is not counted.
  for (let round = 0; round <= rounds; round++) {
    await makeDue(keys, pass, count, 1 / dueShare);
    const bareMs = await timeOf(() => runBare(keys, pass, due));
    await makeDue(keys, pass, count, 1 / dueShare);
    const sweepMs = await timeOf(() => expectSwept(site, { [pass.event]: due }));
    rests.push(`${seconds(bareMs)}/${seconds(sweepMs)}`);
    if (round === 0) continue;
    bareTimes.push(bareMs);
    sweepTimes.push(sweepMs);
  }
  log(`  ${pass.kind}: ${rests.join(', ')} s (bare/sweep)`);
  const [bare, swept] = [median(bareTimes), median(sweepTimes)];
  return [
    { name: `${name}.${pass.kind}.ratio`, value: swept / bare, unit: 'times', bound },
    { name: `${name}.${pass.kind}.seconds`, value: swept / 1000, unit: 's', bound: null },
    { name: `${name}.${pass.kind}.bare_seconds`, value: bare / 1000, unit: 's', bound: null },
  ];
}

async function runBare(keys: ManyKeys, { bare, kind }: MeasuredPass, due: number) {
  const changed = await keys.asApplication(bare);
  if (changed !== due) throw new Error(`the bare statement of ${kind} changed ${changed} keys`);
}
