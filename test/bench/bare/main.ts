/**
 * What a cycle is measured against, in a process of its own. Answers each request over IPC with its duration in
 * milliseconds.
 */
import { bareAws } from './aws.ts';
import { bareAzure } from './azure.ts';
import type { BareTarget, BareVault } from './bare-vault.ts';
import { bareGcp } from './gcp.ts';
import { bareHashicorp } from './hashicorp.ts';

const kinds = { hashicorp: bareHashicorp, aws: bareAws, gcp: bareGcp, azure: bareAzure };

export interface BareRequest extends BareTarget {
  kind: keyof typeof kinds;
  work: keyof BareVault;
  /** For `changed`. */
  names: string[];
}

const vaults = new Map<string, Promise<BareVault>>();

async function run({ kind, work, names, ...target }: BareRequest): Promise<number> {
  const key = `${kind} ${target.url} ${target.concurrency}`;
  const opened = vaults.get(key) ?? kinds[kind](target);
  vaults.set(key, opened);
  const vault = await opened;
  const start = performance.now();
  await vault[work](names);
  return performance.now() - start;
}

process.on('message', (request: BareRequest) => {
  run(request).then(
    (milliseconds) => process.send?.({ milliseconds }),
    (error: unknown) => process.send?.({ error: String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));
process.send?.({ started: true });
