import type { BenchSite } from '../bench-site.ts';
import { load, processorSeconds } from '../reads/load.ts';
import { openReadingSite } from '../reads/reading-site.ts';
import { type Figure, median } from '../report.ts';
import { benchVerifying } from './verifying.ts';

type Log = (line: string) => void;

/** Of the one who reads. */
const policies = 20;
const rounds = 5;
const seconds = 4;
/** Enough that some ask while others wait for the commit of their group. */
const connections = 256;
/** Reading with each read in the audit log reaches 0.7 of the rate without. */
const ratioBound = 1 / 0.7;

/** What the audit log costs those who read, and how fast it is verified. */
export async function benchAudit(site: BenchSite, log: Log): Promise<Figure[]> {
  return [...(await rates(site, log)), ...(await benchVerifying(site, log))];
}

/**
 * One synced secret from two processes on one database, in turn: with a row for each read, by an identity with a token and
 * policies of its own; and without the one, by the environment's token, which needs no others.
 */
async function rates(site: BenchSite, log: Log): Promise<Figure[]> {
  await using reading = await openReadingSite(site);
  const required = await site.startApi({ KEYFERRY_AUDIT_READS: 'required' });
  const path = new URL(reading.ours.url).pathname;
  const headers = { authorization: `Bearer ${await readersToken(required.address, reading.headers)}` };
  const audited = { ...reading.ours, headers, pid: required.pid, url: `${required.address}${path}` };
  const sides = [reading.ours, audited] as const;
  const [off, on]: [Measured[], Measured[]] = [[], []];
  // The first round warms both sides up and is not counted.
  for (let round = 0; round <= rounds; round++)
    for (const [index, side] of sides.entries()) {
      const measured = await measure(side);
      if (round > 0) (index === 0 ? off : on).push(measured);
    }
  await required.stop();
  for (const [index, one] of off.entries())
    log(`audit: ${Math.round(one.rate)} / ${Math.round(on[index]?.rate ?? 0)} reads a second (without / with)`);
  const ratios = off.map((one, index) => one.rate / (on[index]?.rate ?? 0));
  return [
    { name: 'audit.reads.ratio', value: median(ratios), unit: 'times', bound: ratioBound },
    { name: 'audit.reads.rate', value: median(on.map(({ rate }) => rate)), unit: '/s', bound: null },
    { name: 'audit.reads.processor', value: median(on.map(({ work }) => work)), unit: 'µs', bound: null },
    { name: 'audit.reads.off.processor', value: median(off.map(({ work }) => work)), unit: 'µs', bound: null },
  ];
}

/** Somebody who may read what is read, and other folders. */
async function readersToken(address: string, operator: Record<string, string>): Promise<string> {
  const post = async (route: string, body: object): Promise<{ token: string }> => {
    const answer = await fetch(`${address}/v1/${route}`, {
      method: 'POST',
      headers: { ...operator, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${route} was answered with ${answer.status}`);
    return (await answer.json()) as { token: string };
  };
  await post('identities', { name: 'reader' });
  const bindings = [{ identity: 'reader' }];
  for (let index = 0; index < policies; index++)
    await post('policies', {
      name: `team-${index}`,
      path_glob: `run-${index + 1}/**`,
      permissions: ['read'],
      bindings,
    });
  return (await post('identities/reader/tokens', { name: 'bench' })).token;
}

interface Measured {
  rate: number;
  /** Of the serving process, in microseconds a request. */
  work: number;
}

async function measure(target: { pid: number; url: string; headers: Record<string, string> }): Promise<Measured> {
  const before = await processorSeconds(target.pid);
  const { rate, latencies } = await load(target, { connections, seconds });
  return { rate, work: (((await processorSeconds(target.pid)) - before) * 1e6) / latencies.length };
}
