import type { Connection } from '@keyferry/connections';
import { judgeBy } from '@keyferry/validation';
import { storeRemoved } from './commit-deletion.ts';
import { storeWritten } from './commit-through.ts';
import type { CommitContext } from './commit-value.ts';
import { describeValue } from './judge-value.ts';
import type { WriteTarget } from './target.ts';
import { type BegunWrite, endWrite, leaveWrite, readSecret } from './vault-side.ts';

interface Unfinished extends BegunWrite {
  connection: Connection;
  signal: AbortSignal;
  target: WriteTarget;
  context: Omit<CommitContext, 'now'>;
}

/**
 * Finds out whether the vault has made a write whose process left it. If so, it is stored as it would have been then. Where the
 * vault can't be asked, the write is left again.
 */
export async function settleUnfinished(unfinished: Unfinished): Promise<void> {
  const { connection, signal, intent, target, context, backend } = unfinished;
  const found = await readSecret(connection, intent.remote_path, signal).catch(async (error: unknown) => {
    await leaveWrite(unfinished);
    throw error;
  });
  if (intent.kind === 'remove') {
    if (found === null && target.key) await storeRemoved(unfinished, target.key.id, async (_tx, deleted) => deleted);
    else await endWrite(unfinished);
    return;
  }
  if (!found || !context.keys.digest(found.value.reveal()).equals(intent.value_digest))
    return await endWrite(unfinished);
  const { type } = judgeBy(backend.validation_rules).judge(
    target.localPath,
    found.value.reveal(),
    target.key?.metadata.type,
  );
  await storeWritten({
    ...unfinished,
    judged: describeValue(found.value, type, context.keys),
    remote: {
      version: found.version,
      revision: found.revision,
      creates: intent.creates,
      ownedFor: intent.owned_for,
    },
    answer: async (_tx, written) => written,
  });
}
