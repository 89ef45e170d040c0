import type { Connection } from '@keyferry/connections';
import { endIntent, findWritableKey, noteOwned, stampWrite, type Tx, type WritableKey } from '@keyferry/store';
import { storedEtag } from '../etag.ts';
import { isAgreed } from './agreed.ts';
import { auditWrite, type CommitContext, commitValue, type RemoteSide } from './commit-value.ts';
import type { JudgedValue } from './judge-value.ts';
import type { WrittenSecret } from './request.ts';
import type { WriteTarget } from './target.ts';
import { type BegunWrite, leaveWrite, readSecret, writeConflict, yieldWrite } from './vault-side.ts';

interface Storing extends BegunWrite {
  connection: Connection;
  signal: AbortSignal;
  /** As it was found when the write began. */
  target: WriteTarget;
  judged: JudgedValue;
  remote: RemoteSide;
  context: Omit<CommitContext, 'now'>;
  answer(tx: Tx, written: WrittenSecret): Promise<WrittenSecret>;
}

const maxRounds = 3;

/**
 * Stores what the vault has taken. A cycle may have carried it meanwhile, which makes no second version; where the key was
 * given another value meanwhile, the vault is read again, and only what it has now is stored. Rejects with `write_conflict`
 * if that is not what was written.
 */
export async function storeWritten(storing: Storing): Promise<WrittenSecret> {
  const leaving = async (error: unknown): Promise<never> => {
    await leaveWrite(storing);
    throw error;
  };
  let { remote } = storing;
  let before = storing.target.key?.version ?? null;
  for (let round = 0; round < maxRounds; round++) {
    const result = await commit(storing, remote, before).catch(leaving);
    if ('written' in result) return result.written;
    before = result.key?.version ?? null;
    const { connection, intent, signal, context } = storing;
    const found = await readSecret(connection, intent.remote_path, signal).catch(leaving);
    if (!found || !context.keys.digest(found.value.reveal()).equals(intent.value_digest))
      throw await yieldWrite(storing);
    remote = { ...remote, version: found.version, revision: found.revision };
  }
  await leaveWrite(storing);
  throw writeConflict(storing.target.localPath, 'others changed it again and again');
}

type Result = { written: WrittenSecret } | { key: WritableKey | null };

/** What was stored, or the key as it is where it isn't what it was. */
async function commit(storing: Storing, remote: RemoteSide, before: number | null): Promise<Result> {
  const { services, backend, intent, target, judged, context, answer } = storing;
  const now = services.now();
  return await services.store.inTenant(context.tenantId, async (tx): Promise<Result> => {
    const key = (await findWritableKey(tx, target.localPath, { lock: true })) ?? null;
    const own = key && key.backendId === backend.id && key.remotePath === target.remotePath;
    if (key && !own) return { key };
    // One that has the value, and isn't served, is not what was asked for.
    if (key && isAgreed(key, judged, now)) {
      const written = await noteCarried(tx, storing, key, remote);
      await endIntent(tx, intent);
      return { written: await answer(tx, written) };
    }
    if ((key?.version ?? null) !== before) return { key };
    const written = await commitValue(tx, { ...context, now }, { ...target, key }, judged, remote);
    if (!written) return { key };
    await endIntent(tx, intent);
    return { written: await answer(tx, written) };
  });
}

/** A key that has the value already, since a cycle was quicker, or since it had it before. */
async function noteCarried(
  tx: Tx,
  { services, backend, target, context, intent }: Storing,
  key: WritableKey,
  remote: RemoteSide,
): Promise<WrittenSecret> {
  const owned = key.owned || remote.creates;
  await noteOwned(tx, key.id, { owned, ownedFor: intent.owned_for ?? key.ownedFor });
  await stampWrite(tx, backend.id, key.id);
  const written: WrittenSecret = {
    path: target.localPath,
    version: key.version,
    remoteVersion: remote.version,
    created: target.key === null,
    writtenTo: 'vault',
    owned,
    etag: storedEtag(key.id, key.version),
  };
  await auditWrite(tx, { ...context, now: services.now() }, backend, key.id, written);
  return written;
}
