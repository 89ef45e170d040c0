import { isNamed, type MasterKeySource, masterKeyVariables } from '@keyferry/core';
import type { Home } from '../home.ts';

/** Where the master key comes from: the environment, else a file of the state folder. */
export function masterKeySource(env: NodeJS.ProcessEnv, home: Home): MasterKeySource {
  const given = masterKeyVariables(env);
  return isNamed(given) ? given : { ...given, file: home.masterKey };
}
