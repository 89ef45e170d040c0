import { createHmac, randomBytes } from 'node:crypto';
import { mkdir, open, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { KeyferryError } from '@keyferry/core';
import { sql } from 'kysely';
import { asStoreError, type Store } from '../database.ts';
import { seal, unseal } from './cipher.ts';

export interface MasterKey {
  /** Tells which key it is, and nothing about it. */
  id: string;
  bytes: Buffer;
}

export interface MasterKeySource {
  /** 32 bytes in base64, as given by KEYFERRY_MASTER_KEY. */
  text?: string | undefined;
  /** A file that holds the same text. It is made only where the database has no master key yet. */
  file?: string | undefined;
}

const checkText = Buffer.from('keyferry');
const checkPurpose = 'master-key-check';
/** Any number: two hosts that start at once must not both make a key. */
const initialisationLock = 8_305_733_914;

/**
 * The master key that this database is encrypted with. A database without one takes the given key, or a new one written
 * to the file; a database with one accepts that key alone, so that a second host can't start another.
 */
export async function loadMasterKey(store: Store, source: MasterKeySource): Promise<MasterKey> {
  const given = await readGiven(source);
  try {
    return await store.global.transaction().execute(async (tx) => {
      await sql`SELECT pg_advisory_xact_lock(${initialisationLock})`.execute(tx);
      const known = await tx.selectFrom('master_keys').select(['id', 'check_value']).execute();
      if (known.length > 0) return checkAgainst(known, given);
      const key = given ?? (await makeKey(source));
      const check_value = seal(key.bytes, checkText, checkPurpose);
      await tx.insertInto('master_keys').values({ id: key.id, check_value }).execute();
      return key;
    });
  } catch (error) {
    throw asStoreError(error);
  }
}

function checkAgainst(known: { id: string; check_value: Buffer }[], given: MasterKey | null): MasterKey {
  if (!given) throw new KeyferryError('master_key_missing', 'The database is encrypted, but no master key was given.');
  const entry = known.find((row) => row.id === given.id);
  if (!entry)
    throw new KeyferryError('master_key_mismatch', 'The master key given is not the one of this database.', {
      details: { given: given.id, known: known.map((row) => row.id) },
    });
  unseal(given.bytes, entry.check_value, checkPurpose);
  return given;
}

async function readGiven(source: MasterKeySource): Promise<MasterKey | null> {
  if (source.text) return parseKey(source.text, 'KEYFERRY_MASTER_KEY');
  if (!source.file) return null;
  try {
    return parseKey(await readFile(source.file, 'utf8'), source.file);
  } catch (error) {
    if (error instanceof KeyferryError) throw error;
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new KeyferryError('master_key_invalid', `The master key file ${source.file} can't be read.`);
  }
}

function parseKey(text: string, where: string): MasterKey {
  const bytes = Buffer.from(text.trim(), 'base64');
  if (bytes.length !== 32 || !/^[A-Za-z0-9+/_-]{43}=?$/.test(text.trim()))
    throw new KeyferryError('master_key_invalid', `The master key in ${where} is not 32 bytes in base64.`);
  return { id: fingerprint(bytes), bytes };
}

async function makeKey(source: MasterKeySource): Promise<MasterKey> {
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
  return { id: fingerprint(bytes), bytes };
}

function fingerprint(bytes: Buffer): string {
  return createHmac('sha256', bytes).update('keyferry master key').digest('hex').slice(0, 16);
}
