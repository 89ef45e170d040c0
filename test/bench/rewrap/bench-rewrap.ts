import { setTimeout as pause } from 'node:timers/promises';
import type { RewrapLine } from '@keyferry/contracts';
import { defaultTenantId } from '@keyferry/store';
import type { BenchSite } from '../bench-site.ts';
import type { Figure } from '../report.ts';
import { startReaders } from './readers.ts';
import { makeSealedKeys, updateBare } from './sealed-keys.ts';

/** Fewer for trying it out. */
const keyCount = Number(process.env.KEYFERRY_BENCH_REWRAP_KEYS ?? 1_000_000);
const bareCount = Math.min(keyCount, 200_000);
/** Reading, opening, sealing and locking each value, beside the updates alone. */
const ratioBound = 4;

/** A tenant's data key is rotated and a million values are sealed anew through the API, while others read through it. */
export async function benchRewrap(site: BenchSite, log: (line: string) => void): Promise<Figure[]> {
  const vault = {
    kind: 'hashicorp',
    config: { address: 'http://127.0.0.1:9' },
    auth: { method: 'token', token: 'none' },
  };
  const backendId = await site.addBackend(vault);
  await makeSealedKeys(site.ownerUrl, await site.keyring.ofTenant(defaultTenantId), { count: keyCount, backendId });
  log(`rewrap: ${keyCount} keys are there`);
  const api = await site.startApi();
  const post = (path: string) =>
    fetch(`${api.address}/v1/encryption/${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${api.token}` },
    });

  /** Resolves when the new data key is used. */
  const rotate = async () => {
    const { current_from } = (await (await post('rotate')).json()) as { current_from: string };
    await pause(Math.max(0, Date.parse(current_from) - Date.now()));
  };
  const bareUpdates = async () => {
    await rotate();
    return await updateBare(site.ownerUrl, await site.keyring.ofTenant(defaultTenantId), bareCount);
  };

  // Before and after, and beside the same readers: what else the machine does changes in minutes.
  const readers = startReaders(api, keyCount);
  const before = await bareUpdates();
  await rotate();
  const startedAt = performance.now();
  const lines = (await (await post('rewrap')).text()).trimEnd().split('\n');
  const milliseconds = performance.now() - startedAt;
  const last = JSON.parse(lines.at(-1) ?? '{}') as RewrapLine;
  if (!('summary' in last)) throw new Error(`the rewrap broke off: ${lines.at(-1)}`);
  const { resealed } = last.summary;
  if (resealed !== keyCount + 1) throw new Error(`${resealed} values were sealed anew, of ${keyCount + 1}`);
  log(`rewrap: ${resealed} values in ${Math.round(milliseconds)} ms, told in ${lines.length} lines`);
  const after = await bareUpdates();
  const bare = (before + after) / 2;
  const reads = await readers.end();
  await api.stop();
  log(
    `rewrap: ${bareCount} bare updates in ${Math.round(before)} and ${Math.round(after)} ms; ${reads.count} reads beside`,
  );

  const perValue = milliseconds / resealed;
  return [
    { name: 'rewrap.failed_reads', value: reads.failed, unit: 'reads', bound: 0 },
    { name: 'rewrap.ratio', value: perValue / (bare / bareCount), unit: 'times', bound: ratioBound },
    { name: 'rewrap.rate', value: 1_000 / perValue, unit: '/s', bound: null },
    { name: 'rewrap.duration', value: milliseconds / 1_000, unit: 's', bound: null },
    { name: 'rewrap.reads', value: reads.count, unit: 'reads', bound: null },
    { name: 'rewrap.read_p99', value: reads.p99, unit: 'ms', bound: null },
  ];
}
