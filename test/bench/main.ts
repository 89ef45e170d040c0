import { openBenchSite } from './bench-site.ts';
import { benchHashicorp } from './hashicorp.ts';
import { report } from './report.ts';

/** `npm run bench`: prints a table, writes bench-results.json, and exits with 1 if a figure is over its bound. */

await using site = await openBenchSite();
const figures = await benchHashicorp(site, (line) => console.error(line));
process.exitCode = (await report(figures)) ? 0 : 1;
