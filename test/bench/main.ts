import { openBenchSite } from './bench-site.ts';
import { type BenchKind, benchKinds } from './kinds.ts';
import { type Figure, report } from './report.ts';
import { benchVault } from './vault.ts';

/**
 * `npm run bench`, or `npm run bench -- aws gcp` for some kinds of vaults: prints a table, writes bench-results.json, and
 * exits with 1 if a figure is over its bound.
 */

const isKind = (name: string): name is BenchKind => benchKinds.some((kind) => kind === name);
const asked = process.argv.slice(2);
const unknown = asked.find((name) => !isKind(name));
if (unknown !== undefined) throw new Error(`there is no suite "${unknown}"; suites are ${benchKinds.join(', ')}`);

const figures: Figure[] = [];
for (const kind of asked.length > 0 ? asked.filter(isKind) : benchKinds) {
  // A database of its own: what one kind left behind must not slow down the next.
  await using site = await openBenchSite();
  figures.push(...(await benchVault(kind, site, (line) => console.error(line))));
}
process.exitCode = (await report(figures)) ? 0 : 1;
