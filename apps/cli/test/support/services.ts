import { freePort } from '@keyferry/embedded';
import { createDatabase, type TestDatabase } from '@keyferry/testing/support/database.ts';
import { startApp } from '@keyferry/testing/support/processes.ts';
import { newQueuePrefix, redisUrl } from '@keyferry/testing/support/redis.ts';
import { temporaryFolder } from '@keyferry/testing/support/temporary-folder.ts';

export const masterKey = Buffer.alloc(32, 7).toString('base64');
const token = 'a-token-for-the-tests-alone';

export interface Services {
  database: TestDatabase;
  /** Of the command's own; empty. */
  folder: string;
  /** What the command needs to find the API. */
  env: NodeJS.ProcessEnv;
  /** The environment of the apps. */
  settings: Record<string, string>;
}

/** These apps, as processes of their own, until `cleanup` ends them. `settings` are further variables of theirs. */
export async function startServices(
  cleanup: AsyncDisposableStack,
  settings: Record<string, string> = {},
  names: readonly ('api' | 'worker' | 'scheduler')[] = ['api', 'worker'],
): Promise<Services> {
  const database = await createDatabase();
  cleanup.defer(() => database.drop());
  const temporary = temporaryFolder('cli');
  cleanup.defer(temporary.remove);
  const port = String(await freePort());
  const services = {
    DATABASE_URL: database.url,
    REDIS_URL: redisUrl(),
    KEYFERRY_QUEUE_PREFIX: newQueuePrefix(),
    KEYFERRY_MASTER_KEY: masterKey,
    KEYFERRY_API_TOKEN: token,
    KEYFERRY_API_PORT: port,
    ...settings,
  };
  const apps = await Promise.all(names.map((name) => startApp(name, services)));
  cleanup.defer(async () => void (await Promise.all(apps.map((app) => app.stop()))));
  const env = { KEYFERRY_URL: `http://127.0.0.1:${port}`, KEYFERRY_TOKEN: token, KEYFERRY_HOME: temporary.path };
  return { database, folder: temporary.path, env, settings: services };
}
