import type { Home, Running } from '../home.ts';
import { checkMasterKey, type DatabasePlace, withStore } from '../services/database.ts';
import { masterKeySource } from '../services/master-key-source.ts';
import { type Finding, look } from './finding.ts';

/** The database with its schema and roles, and the master key that its contents are encrypted with. */
export async function examineDatabase(env: NodeJS.ProcessEnv, home: Home, running: Running | null): Promise<Finding[]> {
  const url = env.DATABASE_URL || running?.database_url;
  if (!url) {
    const message = 'DATABASE_URL is not set, and no `keyferry up` runs in this folder.';
    return [{ name: 'database', result: 'skipped', message }];
  }
  const place = { url, variable: 'DATABASE_URL' };
  const reachable = await look('database', () =>
    withStore(place, async () => ({
      name: 'database',
      result: 'ok',
      message: 'It answers, has this version’s schema, and binds the application by row-level security',
    })),
  );
  if (reachable.some((finding) => finding.result === 'failed')) return reachable;
  const key = await look('master key', () => examineMasterKey(env, home, place));
  return [...reachable, ...key];
}

async function examineMasterKey(env: NodeJS.ProcessEnv, home: Home, place: DatabasePlace): Promise<Finding> {
  const name = 'master key';
  const state = await withStore(place, (store) => checkMasterKey(store, masterKeySource(env, home)));
  const message =
    state === 'fits' ? 'It is the one of this database' : 'The database has none yet; the first start makes it';
  return { name, result: 'ok', message };
}
