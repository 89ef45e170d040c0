import { randomBytes, randomUUID } from 'node:crypto';
import {
  appendEvents,
  type Backend,
  byCycle,
  defaultTenantId,
  getBackend,
  type KeyWrite,
  keyEvents,
  loadKeys,
  noteKeyChanges,
  type StoredKey,
  writeKeys,
} from '@keyferry/store';
import type { BenchSite } from '../bench-site.ts';
import { type Figure, median } from '../report.ts';
import type { ManyKeys } from './million.ts';
import { makeDue, measuredPasses } from './passes.ts';
import { expectSwept, seconds, timeOf } from './timing.ts';

const dueShare = 0.1;
const batchSize = 500;
const batchesAlone = 100;
/** How often a batch may take what it takes while nothing is swept: the median one, and the slowest. */
const medianBound = 2;
const slowestBound = 10;

/** What the sync stage writes of rotated keys, a batch after the other, alone and while a large pass is under way. */
export async function besideSyncs(
  name: string,
  site: BenchSite,
  keys: ManyKeys,
  count: number,
  log: (line: string) => void,
): Promise<Figure[]> {
  const pass = measuredPasses.find(({ kind }) => kind === 'archive');
  if (!pass) throw new Error('nothing is archived');
  const write = await batchWriter(site, keys.backends[0] ?? '', count);
  // Warms up.
  for (let batch = 0; batch < 10; batch++) await write();
  const alone: number[] = [];
  while (alone.length < batchesAlone) alone.push(await timeOf(write));

  const due = count * dueShare;
  await makeDue(keys, pass, count, 1 / dueShare);
  const beside: number[] = [];
  let sweeping = true;
  const swept = timeOf(() => expectSwept(site, { [pass.event]: due })).finally(() => {
    sweeping = false;
  });
  const writing = (async () => {
    while (sweeping) beside.push(await timeOf(write));
  })();
  const [sweptMs] = await Promise.all([swept, writing]);

  const [medianAlone, medianBeside] = [median(alone), median(beside)];
  log(
    `  ${due} keys archived in ${seconds(sweptMs)} s, ${beside.length} batches of a sync beside it: median ${seconds(medianAlone)}/${seconds(medianBeside)}, slowest ${seconds(Math.max(...alone))}/${seconds(Math.max(...beside))} s (alone/beside)`,
  );
  const milliseconds = (figure: string, value: number) => ({
    name: `${name}.sync_batch.${figure}`,
    value,
    unit: 'ms',
    bound: null,
  });
  const times = (figure: string, value: number, bound: number) => ({
    name: `${name}.sync_batch.${figure}`,
    value: value / medianAlone,
    unit: 'times',
    bound,
  });
  return [
    times('median_ratio', medianBeside, medianBound),
    times('slowest_over_median_alone', Math.max(...beside), slowestBound),
    milliseconds('median_alone_ms', medianAlone),
    milliseconds('p99_alone_ms', percentile99(alone)),
    milliseconds('slowest_alone_ms', Math.max(...alone)),
    milliseconds('median_ms', medianBeside),
    milliseconds('p99_ms', percentile99(beside)),
    milliseconds('slowest_ms', Math.max(...beside)),
    { name: `${name}.archive_100k_beside_syncs.seconds`, value: sweptMs / 1000, unit: 's', bound: null },
  ];
}

/** Writes new values of keys that have no times, other ones each time, as the end of a part of a shard does. */
async function batchWriter({ services, keyring }: BenchSite, backendId: string, count: number) {
  const { store, now } = services;
  const backend = await store.inTenant(defaultTenantId, (tx) => getBackend(tx, backendId));
  const keys = await keyring.ofTenant(defaultTenantId);
  const context = {
    tenantId: defaultTenantId,
    backendId,
    cycleId: randomUUID(),
    digestKeyId: keys.digestKeyId,
    encryptionKeyId: keys.encryptionKeyId,
    maxVersions: backend.max_versions,
  };
  let place = 0;

  return async () => {
    const paths: string[] = [];
    for (; paths.length < batchSize; place = (place + 7) % count)
      if (place % 10 >= 6) paths.push(`bifrost/plain/key-${place}`);
    const known = await store.inTenant(defaultTenantId, (tx) => loadKeys(tx, backendId, paths));
    const writes = [...known].map(([path, key]) => rotated(path, key));
    if (writes.length !== batchSize) throw new Error('keys that were to be written are not there');
    await store.inTenant(defaultTenantId, async (tx) => {
      const at = now();
      await writeKeys(tx, { ...context, now: at }, writes);
      const changes = writes.map(({ id, version }) => ({
        keyId: id,
        change: 'rotated' as const,
        from: 'active' as const,
        to: 'active' as const,
        version,
      }));
      await noteKeyChanges(tx, defaultTenantId, byCycle(context.cycleId), changes, at);
      await appendEvents(tx, backendId, eventsOf(backend, context.cycleId, writes), at);
    });
  };
}

const eventsOf = (backend: Backend, cycleId: string, writes: readonly KeyWrite[]) =>
  keyEvents(
    'keys.rotated',
    backend,
    cycleId,
    writes.map(({ localPath, version }) => ({ path: localPath, from_version: version - 1, to_version: version })),
  );

/** A new value of a key, of the size that a sealed API key has. */
function rotated(remotePath: string, key: StoredKey): KeyWrite {
  const digest = randomBytes(32);
  return {
    id: key.id,
    rowVersion: key.rowVersion,
    version: key.version + 1,
    remotePath,
    localPath: key.localPath,
    type: 'api_key',
    state: 'active',
    contentType: 'text/plain',
    metadata: {},
    remoteVersion: String(key.version + 1),
    remoteRevision: null,
    remoteCreatedAt: null,
    baseDigest: digest,
    localDigest: digest,
    remoteDigest: digest,
    expiresAt: null,
    purgeAt: null,
    expiryReminderAt: null,
    rotationDueAt: null,
    rolledBack: false,
    tombstone: false,
    owned: false,
    ownedFor: null,
    describesValue: true,
    ciphertext: randomBytes(80),
    readableUntil: null,
    earlier: [],
  };
}

const percentile99 = (values: readonly number[]): number =>
  [...values].sort((left, right) => left - right)[Math.floor(values.length * 0.99)] as number;
