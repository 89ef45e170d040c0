import { parseAllowedFiles, parseAllowedIdentities } from '@keyferry/connections';
import {
  databaseProtocols,
  type Environment,
  KeyferryError,
  listVariable,
  masterKeyVariables,
  mostPort,
  numberVariable,
  redisProtocols,
  urlVariable,
} from '@keyferry/core';
import { type EgressPolicy, parseEgress } from '@keyferry/egress';
import { defaultQueuePrefix } from '@keyferry/queue';
import type { AmbientIdentity } from '@keyferry/vaults';

export interface ApiEnvironment {
  databaseUrl: string;
  redisUrl: string;
  queuePrefix: string;
  masterKey: { text: string | undefined; file: string | undefined };
  token: { text: string | undefined; file: string | undefined };
  allowedEnvironment: string[];
  allowedFiles: string[];
  allowedIdentities: AmbientIdentity[];
  egress: EgressPolicy;
  host: string;
  port: number;
}

const usualPort = 8420;

/** Throws `config_invalid` with the variable's name. An empty variable counts as one that isn't set. */
export function readEnvironment(env: Environment): ApiEnvironment {
  const token = { text: env.KEYFERRY_API_TOKEN || undefined, file: env.KEYFERRY_API_TOKEN_FILE || undefined };
  if (!token.text && !token.file)
    throw new KeyferryError('config_invalid', 'KEYFERRY_API_TOKEN or KEYFERRY_API_TOKEN_FILE has to be set.');
  return {
    databaseUrl: urlVariable(env, 'DATABASE_URL', databaseProtocols),
    redisUrl: urlVariable(env, 'REDIS_URL', redisProtocols),
    queuePrefix: env.KEYFERRY_QUEUE_PREFIX || defaultQueuePrefix,
    masterKey: masterKeyVariables(env),
    token,
    allowedEnvironment: listVariable(env, 'KEYFERRY_ALLOWED_ENV'),
    allowedFiles: parseAllowedFiles(env.KEYFERRY_ALLOWED_FILES ?? ''),
    allowedIdentities: parseAllowedIdentities(listVariable(env, 'KEYFERRY_ALLOWED_IDENTITIES')),
    egress: parseEgress(env.KEYFERRY_ALLOWED_EGRESS),
    host: env.KEYFERRY_API_HOST || '127.0.0.1',
    port: numberVariable(env, 'KEYFERRY_API_PORT', usualPort, mostPort),
  };
}
