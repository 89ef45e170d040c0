import type { Connection } from '@keyferry/connections';
import { classOf, KeyferryError } from '@keyferry/core';
import type { TenantKeys, WritableKey } from '@keyferry/store';
import type { Written } from '@keyferry/vaults';
import type { RemoteSide } from './commit-value.ts';
import type { JudgedValue } from './judge-value.ts';
import { type BegunWrite, endWrite, leaveWrite, readSecret, yieldWrite } from './vault-side.ts';

interface Sending extends BegunWrite {
  connection: Connection;
  signal: AbortSignal;
  context: { keys: TenantKeys };
  /** As it was when the write began. */
  key: WritableKey | null;
  judged: JudgedValue;
  /** Whether the vault may have made this write already. */
  doubt: boolean;
}

/** How long the vault may take to say whether it has made a write that seems to have failed, in milliseconds. */
const lastLookMs = 3_000;

/** Failures after which it isn't clear whether the vault has made the write. */
const unclear = ['invalid', 'too_large', 'timeout', 'unavailable'];

/**
 * Writes a value to the vault, if it has what was last seen of it. Rejects with `write_conflict`, `value_not_writable` or the
 * vault's failure; the noted write has then ended, or, where the vault may have made it, was left.
 */
export async function sendValue(sending: Sending): Promise<RemoteSide> {
  const { intent, doubt } = sending;
  const known = { creates: intent.creates, ownedFor: intent.owned_for };
  try {
    const made = doubt ? await findValue(sending) : null;
    return { ...known, ...(made ?? (await putExpected(sending))) };
  } catch (error) {
    const failureClass = classOf(error);
    if (failureClass === 'conflict') throw await yieldWrite(sending);
    if (!unclear.includes(failureClass)) {
      await endWrite(sending);
      throw error;
    }
    // Null where the vault has another value, undefined where it can't be told.
    // The time of the request may be over by now.
    const signal = AbortSignal.timeout(lastLookMs);
    const made = await findValue({ ...sending, signal }).catch(() => undefined);
    if (made) return { ...known, ...made };
    if (made === undefined || !isRefusal(error)) {
      await leaveWrite(sending);
      throw error;
    }
    await endWrite(sending);
    throw new KeyferryError('value_not_writable', error.message);
  }
}

const isRefusal = (error: unknown): error is KeyferryError =>
  error instanceof KeyferryError && ['invalid', 'too_large'].includes(classOf(error));

/** What the vault has of it, if that is the value that is written. */
async function findValue({ connection, intent, signal, context }: Sending): Promise<Written | null> {
  const found = await readSecret(connection, intent.remote_path, signal);
  if (!found || !context.keys.digest(found.value.reveal()).equals(intent.value_digest)) return null;
  return { version: found.version, revision: found.revision };
}

/** Writes on condition that the vault has what is known here. */
async function putExpected(sending: Sending): Promise<Written & { creates?: boolean }> {
  const { connection, intent, signal, key, judged } = sending;
  const put = (expected: { expectedVersion?: string | null }) =>
    connection.put(intent.remote_path, judged.value, { ...expected, idempotencyKey: intent.id }, signal);
  if (key === null || key.remoteDigest.length === 0) {
    // What somebody else has made is theirs, though a vault may take the same value for a repeated write of ours.
    const compares = connection.capabilities.compareAndSet === 'atomic';
    if (!compares && (await readSecret(connection, intent.remote_path, signal)) !== null) throw conflict();
    return { ...(await put({ expectedVersion: null })), creates: true };
  }
  if (key.remoteVersion === null) {
    // A vault without versions: we look just before we write.
    const found = await readSecret(connection, intent.remote_path, signal);
    if (found === null) return { ...(await put({ expectedVersion: null })), creates: true };
    if (!sending.context.keys.digest(found.value.reveal()).equals(key.remoteDigest)) throw conflict();
    return await put({});
  }
  try {
    return await put({ expectedVersion: key.remoteVersion });
  } catch (error) {
    // What had gone from the vault when it was last looked at may be gone without a trace.
    if (classOf(error) !== 'conflict' || !wasGone(key)) throw error;
    return { ...(await put({ expectedVersion: null })), creates: true };
  }
}

const wasGone = ({ state, tombstone }: WritableKey) => (state === 'deprecated' || state === 'archived') && !tombstone;

const conflict = () =>
  new KeyferryError('vault_conflict', 'The vault has another value than the one expected.', {
    failureClass: 'conflict',
  });
