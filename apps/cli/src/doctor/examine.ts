import { homeOf, type Running, readHomeFile } from '../home.ts';
import { probeRedis } from '../services/redis.ts';
import { version } from '../version.ts';
import { examineApi } from './api.ts';
import { examineDatabase } from './database.ts';
import { type Finding, look } from './finding.ts';

/**
 * Looks at what the environment names, or else at what a `keyferry up` of this folder runs. Changes nothing.
 */
export async function examine(env: NodeJS.ProcessEnv): Promise<Finding[]> {
  const home = homeOf(env);
  const running = readHomeFile<Running>(home.running);
  const looks = [
    look('versions', async () => ({
      name: 'versions',
      result: 'ok',
      message: `Keyferry ${version}, Node ${process.versions.node}, ${process.platform} ${process.arch}`,
    })),
    examineDatabase(env, home, running),
    look('redis', () => examineRedis(env.REDIS_URL || running?.redis_url)),
    examineApi(env),
  ];
  return (await Promise.all(looks)).flat();
}

async function examineRedis(url: string | undefined): Promise<Finding> {
  const name = 'redis';
  if (!url)
    return { name, result: 'skipped', message: 'REDIS_URL is not set, and no `keyferry up` runs in this folder.' };
  const { server, supported, evictionPolicy } = await probeRedis(url);
  if (!supported)
    return { name, result: 'failed', code: 'redis_unavailable', message: `${server} is too old: 6.2 is needed.` };
  if (evictionPolicy !== 'noeviction')
    return {
      name,
      result: 'warning',
      message: `${server} drops keys when its memory is full (maxmemory-policy ${evictionPolicy}), jobs among them.`,
      action: 'Set maxmemory-policy to noeviction.',
    };
  return { name, result: 'ok', message: `${server}, which drops nothing when its memory is full` };
}
