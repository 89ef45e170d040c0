import { randomBytes } from 'node:crypto';
import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { KeyferryError, type MasterKeySource } from '@keyferry/core';
import { sql } from 'kysely';
import { asStoreError, type Store } from '../database.ts';
import { LocalMasterKey } from './local-master-key.ts';
import type { MasterKeyProvider } from './master-key-provider.ts';
import { MasterKeys } from './master-keys.ts';
import { openMasterKey } from './open-master-key.ts';

const checkText = Buffer.from('keyferry');
const checkPurpose = 'master-key-check';
/** Any number: two hosts that start at once must not both make a key. */
const initialisationLock = 8_305_733_914;

interface Known {
  id: string;
  check_value: Buffer;
}

/**
 * The master keys that a process holds. A database without one takes the given key, or a new one written to the file; a
 * database with one accepts that key alone, so that a second host can't start another, or a new one beside it. All keys that
 * still wrap data keys have to be held. Throws `master_key_missing`, `master_key_mismatch`, `master_key_invalid`,
 * `decryption_failed` for a key that isn't the one of its name, `key_provider_unavailable`.
 */
export async function loadMasterKey(store: Store, source: MasterKeySource): Promise<MasterKeys> {
  const given = await openMasterKey(source, 'KEYFERRY_MASTER_KEY');
  const opened = given ? [given] : [];
  try {
    const previous = source.previous && (await openPrevious(source.previous));
    if (previous) opened.push(previous);
    if (given?.id === previous?.id && given)
      throw new KeyferryError(
        'config_invalid',
        'KEYFERRY_MASTER_KEY_PREVIOUS is the master key itself: give the one before it, or none.',
      );
    const current = await registered(store, source, given, previous ?? null);
    await refuseWithoutUsed(store, [current, ...opened]);
    return new MasterKeys(current, opened);
  } catch (error) {
    await Promise.all(opened.map((key) => key.close()));
    throw asStoreError(error);
  }
}

async function openPrevious(place: NonNullable<MasterKeySource['previous']>): Promise<MasterKeyProvider> {
  const previous = await openMasterKey(place, 'KEYFERRY_MASTER_KEY_PREVIOUS');
  if (previous) return previous;
  throw new KeyferryError('master_key_invalid', `The master key file ${place.file} isn't there.`);
}

/** The key that is current, known to the database by now. */
async function registered(
  store: Store,
  source: MasterKeySource,
  given: MasterKeyProvider | null,
  previous: MasterKeyProvider | null,
): Promise<MasterKeyProvider> {
  const known = await knownKeys(store);
  const isKnown = async (key: MasterKeyProvider | null) => key !== null && (await fits(key, known));
  const [givenFits, previousFits] = [await isKnown(given), await isKnown(previous)];
  if (given && givenFits) return given;
  if (known.length > 0) {
    if (!given)
      throw new KeyferryError('master_key_missing', 'The database is encrypted, but no master key was given.');
    if (!previousFits) throw mismatch(given, known);
  }
  const check = given && (await given.wrap(checkText, checkPurpose));
  const done = await store.global.transaction().execute(async (tx) => {
    await sql`SELECT pg_advisory_xact_lock(${initialisationLock})`.execute(tx);
    const ids = (await tx.selectFrom('master_keys').select('id').execute()).map(({ id }) => id);
    // Somebody else was quicker: what they have made is looked at again.
    if (ids.length !== known.length) return null;
    const key = given ?? (await makeKey(source));
    const check_value = check ?? (await key.wrap(checkText, checkPurpose));
    await tx.insertInto('master_keys').values({ id: key.id, check_value }).execute();
    return key;
  });
  return done ?? (await registered(store, source, given, previous));
}

const knownKeys = (store: Store): Promise<Known[]> =>
  store.global.selectFrom('master_keys').select(['id', 'check_value']).execute();

/** Whether the database knows a key of this id. Throws `decryption_failed` if it knows another one under it. */
async function fits(key: MasterKeyProvider, known: readonly Known[]): Promise<boolean> {
  const entry = known.find(({ id }) => id === key.id);
  if (!entry) return false;
  const opened = await key.unwrap(entry.check_value, checkPurpose);
  if (!opened.equals(checkText))
    throw new KeyferryError(
      'decryption_failed',
      'The master key given is not the one that the database knows by its id.',
    );
  return true;
}

function mismatch(given: MasterKeyProvider, known: readonly Known[]): KeyferryError {
  return new KeyferryError('master_key_mismatch', 'The master key given is not the one of this database.', {
    details: { given: given.id, known: known.map(({ id }) => id) },
  });
}

/** A process must not start that couldn't open some tenants. */
async function refuseWithoutUsed(store: Store, held: readonly MasterKeyProvider[]): Promise<void> {
  const uses = await masterKeyUses(store);
  const ids = held.map(({ id }) => id);
  const lacking = [...uses].filter(([id]) => !ids.includes(id));
  const [first] = lacking;
  if (!first) return;
  const [id, count] = first;
  const details = { given: ids, needed: lacking.map(([needed]) => needed) };
  if (lacking.length === uses.size)
    throw new KeyferryError(
      'master_key_mismatch',
      `The master key given wraps no data key any more: ${count} are wrapped by the master key ${id}.`,
      { details },
    );
  throw new KeyferryError(
    'master_key_missing',
    `${count} data keys are still wrapped by the master key ${id}: it is needed as KEYFERRY_MASTER_KEY_PREVIOUS until “keyferry keys rewrap” has ended.`,
    { details },
  );
}

/** How many data keys each master key wraps, by its id. */
export async function masterKeyUses(store: Store): Promise<Map<string, number>> {
  const { rows } = await sql<{ master_key_id: string; data_keys: number }>`
    SELECT * FROM keyferry.master_key_uses()`.execute(store.global);
  return new Map(rows.map((row) => [row.master_key_id, row.data_keys]));
}

async function makeKey(source: MasterKeySource): Promise<MasterKeyProvider> {
  if (!source.file)
    throw new KeyferryError('master_key_missing', 'The database has no master key yet, and none was given.');
  const bytes = randomBytes(32);
  await mkdir(dirname(source.file), { recursive: true });
  // 'wx': a file that appeared meanwhile is somebody's key and is not written over.
  const handle = await open(source.file, 'wx', 0o600).catch(() => {
    throw new KeyferryError('master_key_invalid', `The master key file ${source.file} can't be written.`);
  });
  try {
    await handle.writeFile(`${bytes.toString('base64')}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  return new LocalMasterKey(bytes);
}
