import { parseAllowedFiles, parseAllowedIdentities } from '@keyferry/connections';
import {
  databaseProtocols,
  durationVariable,
  type Environment,
  KeyferryError,
  listVariable,
  type MasterKeySource,
  masterKeyVariables,
  mostPort,
  numberVariable,
  redisProtocols,
  urlVariable,
} from '@keyferry/core';
import { type EgressPolicy, parseEgress, parseRange } from '@keyferry/egress';
import { defaultQueuePrefix } from '@keyferry/queue';
import type { AmbientIdentity } from '@keyferry/vaults';
import type { CertificateFiles } from './network/certificates.ts';
import type { RequestLimits } from './network/request-limits.ts';
import type { TokenSource } from './token.ts';

export interface ApiEnvironment {
  databaseUrl: string;
  redisUrl: string;
  queuePrefix: string;
  masterKey: MasterKeySource;
  token: TokenSource;
  /** Null where revoking needs no token of its own. */
  revokeToken: TokenSource | null;
  allowedEnvironment: string[];
  allowedFiles: string[];
  allowedIdentities: AmbientIdentity[];
  /** Where notifications may be sent, and where vaults may be, though it isn't public. */
  egress: EgressPolicy;
  allowedVaults: EgressPolicy;
  /** Whether nothing is read that the audit log doesn't have. */
  auditReads: boolean;
  /** From one look at proxied values in memory to the next. */
  checkIntervalMs: number;
  host: string;
  port: number;
  limits: RequestLimits;
  trustedProxies: string[];
  /** Null: unencrypted. */
  certificates: CertificateFiles | null;
}

const usualPort = 8420;

/** A minute: no service asks so often, however many copies of it there are, and no set of clients behind one address. */
const usualLimits: RequestLimits = { identity: 1_200_000, address: 2_400_000, refused: 120 };

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
    allowedVaults: parseEgress(env.KEYFERRY_ALLOWED_VAULTS, 'KEYFERRY_ALLOWED_VAULTS'),
    auditReads: choiceOf(env, 'KEYFERRY_AUDIT_READS', ['required', 'off']) === 'required',
    checkIntervalMs: durationVariable(env, 'KEYFERRY_CHECK_INTERVAL', '1h', ['1m', '24h']),
    host: env.KEYFERRY_API_HOST || '127.0.0.1',
    port: numberVariable(env, 'KEYFERRY_API_PORT', usualPort, mostPort),
    limits: {
      identity: numberVariable(env, 'KEYFERRY_LIMIT_IDENTITY', usualLimits.identity),
      address: numberVariable(env, 'KEYFERRY_LIMIT_ADDRESS', usualLimits.address),
      refused: numberVariable(env, 'KEYFERRY_LIMIT_REFUSED', usualLimits.refused),
    },
    trustedProxies: trustedProxies(env),
    certificates: certificateFiles(env),
  };
}

/** The first of the choices where it isn't set. */
function choiceOf<Choice extends string>(
  env: Environment,
  name: string,
  choices: readonly [Choice, ...Choice[]],
): Choice {
  const given = env[name] || choices[0];
  const choice = choices.find((known) => known === given);
  if (choice === undefined)
    throw new KeyferryError('config_invalid', `${name} has to be one of: ${choices.join(', ')}.`);
  return choice;
}

/** An empty text counts as none. */
function tokenSource(text: string | undefined, file: string | undefined): TokenSource | null {
  return text || file ? { text: text || undefined, file: file || undefined } : null;
}

/** Throws `config_invalid` for what is no address or network. */
function trustedProxies(env: Environment): string[] {
  const proxies = listVariable(env, 'KEYFERRY_TRUSTED_PROXIES').map((entry) => entry.trim());
  const wrong = proxies.find((entry) => parseRange(entry) === null);
  if (wrong === undefined) return proxies;
  throw new KeyferryError(
    'config_invalid',
    `KEYFERRY_TRUSTED_PROXIES has "${wrong}", which is no address or network (10.0.0.0/8).`,
  );
}

function certificateFiles(env: Environment): CertificateFiles | null {
  const { KEYFERRY_API_TLS_CERT_FILE: cert, KEYFERRY_API_TLS_KEY_FILE: key } = env;
  const clientCa = env.KEYFERRY_API_TLS_CLIENT_CA_FILE || null;
  if (cert && key) return { cert, key, clientCa };
  if (!cert && !key && clientCa === null) return null;
  throw new KeyferryError(
    'config_invalid',
    'KEYFERRY_API_TLS_CERT_FILE and KEYFERRY_API_TLS_KEY_FILE have to be set both, and for KEYFERRY_API_TLS_CLIENT_CA_FILE too.',
  );
}
