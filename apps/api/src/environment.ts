import { parseAllowedFiles, parseAllowedIdentities } from '@keyferry/connections';
import {
  databaseProtocols,
  durationVariable,
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
import type { TokenSource } from './token.ts';

export interface ApiEnvironment {
  databaseUrl: string;
  redisUrl: string;
  queuePrefix: string;
  masterKey: { text: string | undefined; file: string | undefined };
  token: TokenSource;
  /** Null where revoking needs no token of its own. */
  revokeToken: TokenSource | null;
  allowedEnvironment: string[];
  allowedFiles: string[];
  allowedIdentities: AmbientIdentity[];
  egress: EgressPolicy;
  /** From one look at proxied values in memory to the next. */
  checkIntervalMs: number;
  host: string;
  port: number;
}

const usualPort = 8420;

/** Throws `config_invalid` with the variable's name. An empty variable counts as one that isn't set. */
export function readEnvironment(env: Environment): ApiEnvironment {
  const token = tokenSource(env.KEYFERRY_API_TOKEN, env.KEYFERRY_API_TOKEN_FILE);
  if (!token) throw new KeyferryError('config_invalid', 'KEYFERRY_API_TOKEN or KEYFERRY_API_TOKEN_FILE has to be set.');
  return {
    databaseUrl: urlVariable(env, 'DATABASE_URL', databaseProtocols),
    redisUrl: urlVariable(env, 'REDIS_URL', redisProtocols),
    queuePrefix: env.KEYFERRY_QUEUE_PREFIX || defaultQueuePrefix,
    masterKey: masterKeyVariables(env),
    token,
    revokeToken: tokenSource(env.KEYFERRY_REVOKE_TOKEN, env.KEYFERRY_REVOKE_TOKEN_FILE),
    allowedEnvironment: listVariable(env, 'KEYFERRY_ALLOWED_ENV'),
    allowedFiles: parseAllowedFiles(env.KEYFERRY_ALLOWED_FILES ?? ''),
    allowedIdentities: parseAllowedIdentities(listVariable(env, 'KEYFERRY_ALLOWED_IDENTITIES')),
    egress: parseEgress(env.KEYFERRY_ALLOWED_EGRESS),
    checkIntervalMs: durationVariable(env, 'KEYFERRY_CHECK_INTERVAL', '1h', ['1m', '24h']),
    host: env.KEYFERRY_API_HOST || '127.0.0.1',
    port: numberVariable(env, 'KEYFERRY_API_PORT', usualPort, mostPort),
  };
}

/** An empty text counts as none. */
function tokenSource(text: string | undefined, file: string | undefined): TokenSource | null {
  return text || file ? { text: text || undefined, file: file || undefined } : null;
}
