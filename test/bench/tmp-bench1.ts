import { openBenchSite } from '/work/main/test/bench/bench-site.ts';
import { startVault } from '/work/main/test/bench/kinds.ts';
const kind = (process.argv[2] ?? 'hashicorp') as 'hashicorp';
process.env.NODE_OPTIONS='';
await using site = await openBenchSite();
const vault = await startVault(kind, 10000, Number(process.argv[3] ?? 15));
process.env.NODE_OPTIONS = process.env.PROF ? '--cpu-prof --cpu-prof-dir=/tmp/prof' : '';
const worker = await site.startWorker();
process.env.NODE_OPTIONS='';
for (let i=0;i<4;i++){ const b = await site.addBackend(vault.settings); const f=await site.cycle(b); console.log(i,f.milliseconds); }
await worker.stop(); await vault.stop();
