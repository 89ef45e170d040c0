import { beginIntent, type NewIntent, takeIntent, type WriteIntent } from '@keyferry/store';
import type { WriteServices } from './request.ts';
import { atWork } from './vault-side.ts';

/** A write that is noted; `doubt` where it was begun before, so that the vault may have made it already. */
export interface Begun {
  intent: WriteIntent;
  doubt: boolean;
}

/**
 * Notes that a write to a vault begins, before the vault is asked. Where another one was left unfinished, `settle` finds out
 * what became of it, and ends it. Throws `write_conflict` while somebody else writes the same secret.
 */
export async function beginWrite(
  services: WriteServices,
  wanted: NewIntent,
  settle: (unfinished: WriteIntent) => Promise<void>,
): Promise<Begun> {
  for (let round = 0; round < 2; round++) {
    const now = services.now();
    const { begun, stored } = await services.store.inTenant(wanted.tenantId, async (tx) => {
      const intent = await beginIntent(tx, wanted, now);
      if (intent.begun) return intent;
      if (intent.stored.claimed_until > now && intent.stored.id !== wanted.id) throw atWork(wanted.localPath);
      await takeIntent(tx, intent.stored, now);
      return intent;
    });
    if (begun || isSame(stored, wanted)) return { intent: stored, doubt: !begun };
    await settle(stored);
  }
  throw atWork(wanted.localPath);
}

/** The same write, whoever asks for it. */
const isSame = (stored: WriteIntent, wanted: NewIntent) =>
  stored.kind === wanted.kind &&
  stored.local_path === wanted.localPath &&
  stored.value_digest.equals(wanted.valueDigest) &&
  stored.owned_for === wanted.ownedFor;
