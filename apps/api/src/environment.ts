import { parseAllowedFiles } from '@keyferry/connections';
import { KeyferryError } from '@keyferry/core';
import { defaultQueuePrefix } from '@keyferry/queue';

export interface ApiEnvironment {
  databaseUrl: string;
  redisUrl: string;
  queuePrefix: string;
  masterKey: { text: string | undefined; file: string | undefined };
  token: { text: string | undefined; file: string | undefined };
  allowedEnvironment: string[];
  allowedFiles: string[];
  host: string;
  port: number;
}

const usualPort = '8420';

/** Throws `config_invalid` with the variable's name. An empty variable counts as one that isn't set. */
export function readEnvironment(env: NodeJS.ProcessEnv): ApiEnvironment {
  const token = { text: env.KEYFERRY_API_TOKEN || undefined, file: env.KEYFERRY_API_TOKEN_FILE || undefined };
  if (!token.text && !token.file) throw invalid('KEYFERRY_API_TOKEN or KEYFERRY_API_TOKEN_FILE has to be set.');
  return {
    databaseUrl: addressOf(env, 'DATABASE_URL', ['postgres:', 'postgresql:']),
    redisUrl: addressOf(env, 'REDIS_URL', ['redis:', 'rediss:']),
    queuePrefix: env.KEYFERRY_QUEUE_PREFIX || defaultQueuePrefix,
    masterKey: { text: env.KEYFERRY_MASTER_KEY || undefined, file: env.KEYFERRY_MASTER_KEY_FILE || undefined },
    token,
    allowedEnvironment: (env.KEYFERRY_ALLOWED_ENV ?? '').split(',').filter((name) => name !== ''),
    allowedFiles: parseAllowedFiles(env.KEYFERRY_ALLOWED_FILES ?? ''),
    host: env.KEYFERRY_API_HOST || '127.0.0.1',
    port: readPort(env.KEYFERRY_API_PORT || usualPort),
  };
}

function addressOf(env: NodeJS.ProcessEnv, name: string, protocols: string[]): string {
  const value = env[name];
  if (!value) throw invalid(`The environment variable ${name} is not set.`);
  // What it is stays unsaid: it may hold a password.
  if (!URL.canParse(value) || !protocols.includes(new URL(value).protocol))
    throw invalid(`${name} has to be a URL that starts with ${protocols[0]}//.`);
  return value;
}

function readPort(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw invalid('KEYFERRY_API_PORT has to be a number from 0 to 65535.');
  return port;
}

const invalid = (message: string) => new KeyferryError('config_invalid', message);
