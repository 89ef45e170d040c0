import { classOf, pushes } from '@keyferry/core';
import {
  addToCycle,
  byCycle,
  claimWrites,
  endWrites,
  holdStage,
  type Issue,
  type LocalOnlyKey,
  localOnlyKeys,
  type MadeSecret,
  type NewKeyChange,
  noteKeyChanges,
  noteMade,
  sealedValues,
} from '@keyferry/store';
import type { KnownIndex } from '../known-index.ts';
import { missedKeys } from './listing.ts';
import { claimFrom, mayBeMade, pushBatch, unpushed, withValue, writeToken } from './push.ts';
import type { BackendRun, StageRun } from './stage-run.ts';

/** Keys that are only here and that the listing lacks, where they are to be made in the vault; in batches. */
export async function* secretsToMake(run: BackendRun, known: KnownIndex): AsyncGenerator<LocalOnlyKey[]> {
  const { services, backend, signal } = run;
  if (!pushes(backend)) return;
  let after: string | null = null;
  for (;;) {
    signal.throwIfAborted();
    const page: Parameters<typeof localOnlyKeys>[2] = { after, limit: pushBatch, now: services.now() };
    const keys = await services.store.inTenant(backend.tenant_id, (tx) => localOnlyKeys(tx, backend.id, page));
    const last = keys.at(-1);
    if (!last) return;
    after = last.id;
    // What is listed is read, and settled with what the vault has.
    const missing = missedKeys(run, keys).inside.filter(({ remotePath }) => !known.hasSeen(remotePath));
    if (missing.length > 0) yield missing;
  }
}

/** Makes them, and owns them from then on. Returns why some could not be made. */
export async function makeSecrets(run: StageRun, known: KnownIndex): Promise<Issue[]> {
  const issues: Issue[] = [];
  for await (const keys of secretsToMake(run, known)) issues.push(...(await makeSome(run, keys)));
  return issues;
}

async function makeSome(run: StageRun, keys: LocalOnlyKey[]): Promise<Issue[]> {
  const { services, cycle, backend } = run;
  // A secret that is made, though its process dies, is known as ours by the next cycle.
  const { claims, sealed } = await services.store.inTenant(cycle.tenant_id, async (tx) => {
    await holdStage(tx, cycle);
    const wanted = keys.map((key) => ({ ...key, creates: true }));
    const claims = await claimWrites(tx, backend, wanted, claimFrom(services.now()));
    const ids = keys.filter(({ remotePath }) => claims.has(remotePath)).map(({ id }) => id);
    return { claims, sealed: await sealedValues(tx, ids) };
  });
  const connection = await run.connect();
  const tenantKeys = await services.keyring.ofTenant(cycle.tenant_id);
  const results = await Promise.all(
    keys.map(async (key) => {
      const [claimId, value] = [claims.get(key.remotePath), sealed.get(key.id)];
      if (claimId === undefined || value?.version !== key.version) return { key, claimId, result: null };
      const options = { expectedVersion: null, idempotencyKey: writeToken(key, null) };
      const result = await withValue(tenantKeys, cycle.tenant_id, value, (plaintext) =>
        connection.put(key.remotePath, plaintext, options, run.signal),
      );
      return { key, claimId, result };
    }),
  );
  run.signal.throwIfAborted();
  const calls = run.takeCalls();
  const now = services.now();
  const made = results.flatMap(({ key: { id, digest }, result }): MadeSecret[] => {
    if (result === null || result instanceof Error) return [];
    return [{ id, digest, remoteVersion: result.version, remoteRevision: result.revision }];
  });
  await services.store.inTenant(cycle.tenant_id, async (tx) => {
    await holdStage(tx, cycle);
    const noted = await noteMade(tx, made, now);
    const changes = noted.map(
      ({ id, state, version }): NewKeyChange => ({ keyId: id, change: 'pushed', from: state, to: state, version }),
    );
    await noteKeyChanges(tx, cycle.tenant_id, byCycle(cycle.id), changes, now);
    await endWrites(
      tx,
      results.flatMap(({ claimId, result }) => (claimId !== undefined && !mayBeMade(result) ? [claimId] : [])),
    );
    await addToCycle(tx, cycle.id, { pushed: made.length }, calls);
  });
  return results.flatMap(({ key, result }) =>
    // The vault has something there by now: it is read, and settled as any conflict is.
    result instanceof Error && classOf(result) !== 'conflict' ? [unpushed(key.remotePath, result)] : [],
  );
}
