import { hash, randomUUID } from 'node:crypto';
import { isTransient, KeyferryError, uuidOf } from '@keyferry/core';
import { answerRequest, beginRequest, leaveRequest, type RequestName, takeRequest } from '@keyferry/store';
import type { Attempt, WriteServices } from './request.ts';

interface Asked {
  tenantId: string;
  by: string;
  idempotencyKey: string | null;
  /** What tells requests apart: method, path and value. The value is never kept. */
  parts: readonly (string | Buffer)[];
}

/**
 * Does what a request asks once, however often it comes with the same Idempotency-Key: the others get the answer of the
 * first. Throws `idempotency_mismatch` where the key was used for another request, `request_in_progress` while the first is
 * at work, or what `work` throws, after which the request may be made again.
 */
export async function idempotently<Result extends object>(
  services: WriteServices,
  { tenantId, by, idempotencyKey, parts }: Asked,
  statusOf: (result: Result) => number,
  work: (attempt: Attempt<Result>) => Promise<Result>,
): Promise<Result> {
  if (idempotencyKey === null)
    return await work({ writeId: randomUUID(), repeated: false, answer: async (_tx, result) => result });
  const { store, keyring } = services;
  const keys = await keyring.ofTenant(tenantId);
  const name: RequestName = { tenantId, actor: by, keyHash: hash('sha256', idempotencyKey, 'buffer') };
  const digest = keys.digest(Buffer.concat(parts.map((part) => keys.digest(Buffer.from(part)))));
  const { begun, stored } = await store.inTenant(tenantId, async (tx) => {
    const now = services.now();
    const request = await beginRequest(tx, name, digest, now);
    if (request.begun) return request;
    if (!request.stored.request_digest.equals(digest))
      throw new KeyferryError('idempotency_mismatch', 'This Idempotency-Key was used for another request.');
    if (request.stored.status === null && request.stored.claimed_until > now)
      throw new KeyferryError('request_in_progress', 'The first request with this Idempotency-Key is still at work.');
    if (request.stored.status === null) await takeRequest(tx, name, now);
    return request;
  });
  // What is stored is what was answered to the same request.
  if (stored.status !== null) return stored.answer as Result;
  try {
    const seed = ['write', tenantId, by, name.keyHash.toString('hex'), stored.created_at.toISOString()];
    return await work({
      writeId: uuidOf(keys.digest(Buffer.from(seed.join('\n')))),
      repeated: !begun,
      async answer(tx, result) {
        await answerRequest(tx, name, { status: statusOf(result), answer: result });
        return result;
      },
    });
  } catch (error) {
    const unknown = mayHaveBeenDone(error);
    await store.inTenant(tenantId, (tx) => leaveRequest(tx, name, { unknown, now: services.now() })).catch(() => {});
    throw error;
  }
}

/** Whether something may have been done, though it failed: then a repeated request has to find out. */
function mayHaveBeenDone(error: unknown): boolean {
  if (!(error instanceof KeyferryError)) return true;
  const { failureClass } = error;
  return error.code === 'database_unavailable' || (failureClass !== undefined && isTransient(failureClass));
}
