import { Pool } from 'undici';
import type { BareTarget, BareVault } from './bare-vault.ts';
import { eachOf } from './pool.ts';

/** Plain requests over a pool of connections: node-vault's own HTTP layer is slower than the vault. */
export async function bareHashicorp({ url, credentials, concurrency }: BareTarget): Promise<BareVault> {
  const pool = new Pool(url, { connections: concurrency });
  const headers = { 'x-vault-token': credentials.root_token ?? '' };
  const get = async (path: string): Promise<unknown> => {
    const { statusCode, body } = await pool.request({ method: 'GET', path: `/v1/secret/${path}`, headers });
    if (statusCode !== 200) throw new Error(`${path}: ${statusCode}`);
    return await body.json();
  };
  const keysOf = async (folder: string) =>
    ((await get(`metadata/${folder}?list=true`)) as { data: { keys: string[] } }).data.keys;
  const list = async () => {
    const names: string[] = [];
    await eachOf(await keysOf('bifrost/'), concurrency, async (folder) => {
      for (const key of await keysOf(`bifrost/${folder}`)) names.push(`bifrost/${folder}${key}`);
    });
    return names;
  };
  const read = (names: readonly string[], kind: 'data' | 'metadata') =>
    eachOf(names, concurrency, async (name) => void (await get(`${kind}/${name}`)));
  return {
    first: async () => await read(await list(), 'data'),
    unchanged: async () => await read(await list(), 'metadata'),
    async changed(names) {
      await read(await list(), 'metadata');
      await read(names, 'data');
    },
  };
}
