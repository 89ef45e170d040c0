import type { MasterKeySource } from '@keyferry/store';
import type { Home } from '../home.ts';

/** Where the master key comes from: the environment, else a file of the state folder. */
export function masterKeySource(env: NodeJS.ProcessEnv, home: Home): MasterKeySource {
  if (env.KEYFERRY_MASTER_KEY) return { text: env.KEYFERRY_MASTER_KEY };
  return { file: env.KEYFERRY_MASTER_KEY_FILE || home.masterKey };
}
