import { hash } from 'node:crypto';
import { classOf, describeError, isTransient, SecretValue, uuidOf } from '@keyferry/core';
import {
  claimWrites,
  type Issue,
  type SealedValue,
  type StoredKey,
  sealedValues,
  type TenantKeys,
  valueBinding,
} from '@keyferry/store';
import type { Written } from '@keyferry/vaults';
import type { DecideOn, Reading } from './commit-part.ts';
import type { Decision } from './decide.ts';
import type { BackendRun } from './stage-run.ts';

/** So many values are opened at a time. */
export const pushBatch = 20;

/** Longer than all attempts of a call may take. */
const claimMs = 120_000;

export const claimFrom = (now: Date) => ({ now, claimedUntil: new Date(now.getTime() + claimMs) });

/** Whether it may have been made though its answer has not come. */
export const mayBeMade = (result: unknown) => result instanceof Error && isTransient(classOf(result));

/** What came of writing a value to the vault, and the note that it was begun. */
interface Pushed {
  /** Null where nothing was written. */
  result: Written | Error | null;
  claim: string;
}

/** By the token of each write: none is made twice for one reading. */
export type Pushes = Map<string, Pushed>;

/** Notes of writes whose outcome is known. */
export const endedPushes = (pushes: Pushes): string[] =>
  [...pushes.values()].flatMap(({ result, claim }) => (mayBeMade(result) ? [] : [claim]));

/**
 * Writes values that are ahead of the vault to it, on condition that it still has what was read, and decides on each anew: both
 * sides have it then. One that can't be written is an issue, and stays ahead.
 */
export async function pushAhead(
  run: BackendRun,
  decisions: Decision[],
  pushes: Pushes,
  decideOn: DecideOn,
): Promise<Decision[]> {
  const wanted = decisions.flatMap(({ item, known, push }) => (known && push ? [{ item, known }] : []));
  const left = wanted.filter((one) => !pushes.has(tokenOf(one)));
  for (let start = 0; start < left.length; start += pushBatch)
    await pushSome(run, left.slice(start, start + pushBatch), pushes);
  return decisions.map((decision) => {
    const { item, known, push } = decision;
    const pushed = known && push ? pushes.get(tokenOf({ item, known })) : undefined;
    const result = pushed?.result ?? null;
    if (result === null) return decision;
    if (!(result instanceof Error)) return decideOn(item, { pushed: result });
    return { ...decision, issues: [...decision.issues, unpushed(item.remote, result)] };
  });
}

interface Push {
  item: Reading;
  known: StoredKey;
}

async function pushSome(run: BackendRun, some: readonly Push[], pushes: Pushes): Promise<void> {
  const { services, backend, signal } = run;
  const connection = await run.connect();
  const keys = await services.keyring.ofTenant(backend.tenant_id);
  const wanted = some.map(({ item, known }) => ({
    remotePath: item.remote,
    localPath: known.localPath,
    digest: Buffer.from(known.localDigest, 'hex'),
    creates: false,
    ownedFor: null,
  }));
  // Nobody else writes these meanwhile: not every vault compares versions by itself.
  const { claims, sealed } = await services.store.inTenant(backend.tenant_id, async (tx) => {
    const claims = await claimWrites(tx, backend, wanted, claimFrom(services.now()));
    const ids = some.flatMap(({ item, known }) => (claims.has(item.remote) ? [known.id] : []));
    return { claims, sealed: await sealedValues(tx, ids) };
  });
  // The connection bounds how many of these run at a time.
  await Promise.all(
    some.map(async (one) => {
      const { item, known } = one;
      const [claim, stored] = [claims.get(item.remote), sealed.get(known.id)];
      if (claim === undefined) return;
      const { version } = item.reading;
      const options = { idempotencyKey: tokenOf(one), ...(version !== null && { expectedVersion: version }) };
      // What was changed meanwhile is looked at again.
      const result =
        stored?.version === known.version
          ? await withValue(keys, backend.tenant_id, stored, (value) =>
              connection.put(item.remote, value, options, signal),
            )
          : null;
      signal.throwIfAborted();
      pushes.set(tokenOf(one), { result, claim });
    }),
  );
}

/** Opens a value for as long as it is used. Resolves to what was rejected with, where it was. */
export async function withValue<Result>(
  keys: TenantKeys,
  tenantId: string,
  stored: SealedValue,
  use: (value: SecretValue) => Promise<Result>,
): Promise<Result | Error> {
  const plaintext = await keys.unseal(stored, valueBinding(tenantId, stored.id, stored.version));
  try {
    return await use(new SecretValue(plaintext));
  } catch (error) {
    return error instanceof Error ? error : new Error('The vault took the value for no reason that was told.');
  } finally {
    plaintext.fill(0);
  }
}

export function unpushed(remotePath: string, error: Error): Issue {
  const { code, message, failureClass } = describeError(error);
  const text = `The value of "${remotePath}" could not be written to the vault. ${message}`;
  return { remotePath, outcome: 'unpushed', code, class: failureClass, message: text };
}

const tokenOf = ({ item, known }: Push) => writeToken(known, item.reading.version ?? known.remoteDigest);

/**
 * The same for the same value over the same version of the vault: sent again, it is one write. Over another version it is another
 * one, since a vault that has seen a token leaves what it has since as it is.
 */
export const writeToken = ({ id, version }: { id: string; version: number }, over: string | null): string =>
  uuidOf(hash('sha256', JSON.stringify([id, version, over]), 'buffer'));
