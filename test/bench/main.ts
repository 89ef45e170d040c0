import { benchAudit } from './audit/bench-audit.ts';
import { type BenchSite, openBenchSite } from './bench-site.ts';
import { benchKinds } from './kinds.ts';
import { benchLifecycle } from './lifecycle/bench-lifecycle.ts';
import { benchPolicies } from './policies.ts';
import { benchReads } from './reads/bench-reads.ts';
import { benchClient } from './reads/client.ts';
import { type Figure, report } from './report.ts';
import { benchRewrap } from './rewrap/bench-rewrap.ts';
import { benchVault } from './vault.ts';

/**
 * `npm run bench`, or `npm run bench -- aws reads` for some suites: prints a table, writes bench-results.json, and
 * exits with 1 if a figure is over its bound.
 */

type Log = (line: string) => void;
const suites = new Map<string, (log: Log) => Promise<Figure[]>>([
  ...benchKinds.map((kind) => [kind, (log: Log) => onItsOwn((site) => benchVault(kind, site, log))] as const),
  ['lifecycle', (log) => benchLifecycle(onItsOwn, log)],
  ['policies', benchPolicies],
  ['audit', (log) => onItsOwn((site) => benchAudit(site, log))],
  ['reads', async (log) => [...(await onItsOwn((site) => benchReads(site, log))), ...(await benchClient(log))]],
  ['rewrap', (log) => onItsOwn((site) => benchRewrap(site, log))],
]);

/** A database of its own: what was done before must not slow down what comes next. */
async function onItsOwn(measure: (site: BenchSite) => Promise<Figure[]>): Promise<Figure[]> {
  await using site = await openBenchSite();
  return await measure(site);
}

const asked = process.argv.slice(2);
const unknown = asked.find((name) => !suites.has(name));
if (unknown !== undefined)
  throw new Error(`there is no suite "${unknown}"; suites are ${[...suites.keys()].join(', ')}`);

const figures: Figure[] = [];
for (const [name, run] of suites)
  if (asked.length === 0 || asked.includes(name)) figures.push(...(await run((line) => console.error(line))));
process.exitCode = (await report(figures)) ? 0 : 1;
