import { readFileSync } from 'node:fs';
import { databaseProtocols, KeyferryError, redisProtocols } from '@keyferry/core';
import type { EmulatorKind } from '@keyferry/emulators';
import { addressOf } from '../services/address.ts';
import { type DatabasePlace, ownersDatabase } from '../services/database.ts';
import { demoKinds } from './demo-vaults.ts';

export interface UpOptions {
  once?: boolean;
  allVaults?: boolean;
  mount?: string;
  allowHttp?: boolean;
}

/** A vault that the environment names, to work on in place of the demo's. */
export interface GivenVault {
  address: string;
  namespace: string | undefined;
  /** PEM. */
  caCert: string | undefined;
  mount: string | undefined;
  allowHttp: boolean;
  /** Undefined if the environment doesn't say. */
  syncPaths: string[] | undefined;
}

export interface UpSettings {
  /** Undefined: embedded. */
  database: DatabasePlace | undefined;
  databaseOwner: DatabasePlace | undefined;
  redisUrl: string | undefined;
  /** Undefined: the demo vault. */
  vault: GivenVault | undefined;
  /** Kinds of the demo vaults, none where a vault is given. */
  demoKinds: readonly EmulatorKind[];
  apiHost: string;
  apiPort: string | undefined;
}

/** What the environment and the options say. Throws `config_invalid` with the name of the variable. */
export function readUpSettings(env: NodeJS.ProcessEnv, options: UpOptions): UpSettings {
  if (env.DATABASE_URL) addressOf(env.DATABASE_URL, 'DATABASE_URL', databaseProtocols);
  if (env.REDIS_URL) addressOf(env.REDIS_URL, 'REDIS_URL', redisProtocols);
  const database = env.DATABASE_URL ? { url: env.DATABASE_URL, variable: 'DATABASE_URL' } : undefined;
  const vault = readVault(env, options);
  if (vault && options.allVaults)
    throw invalid('--all-vaults is for the demo vaults: unset VAULT_ADDR and VAULT_TOKEN.');
  return {
    database,
    databaseOwner: database && (ownersDatabase(env) ?? undefined),
    redisUrl: env.REDIS_URL || undefined,
    vault,
    demoKinds: vault ? [] : options.allVaults ? demoKinds : ['hashicorp'],
    apiHost: env.KEYFERRY_API_HOST || '127.0.0.1',
    apiPort: env.KEYFERRY_API_PORT || undefined,
  };
}

function readVault(env: NodeJS.ProcessEnv, options: UpOptions): GivenVault | undefined {
  const { VAULT_ADDR: address, VAULT_TOKEN: token } = env;
  if (!address && !token) {
    if (!options.mount && !options.allowHttp && !env.KEYFERRY_SYNC_PATHS) return undefined;
    throw invalid(
      '--mount, --allow-http and KEYFERRY_SYNC_PATHS are for a vault that VAULT_ADDR and VAULT_TOKEN name.',
    );
  }
  if (!address) throw invalid('VAULT_TOKEN is set, but VAULT_ADDR is not: set both, or neither for the demo vault.');
  if (!token) throw invalid('VAULT_ADDR is set, but VAULT_TOKEN is not: set both, or neither for the demo vault.');
  if (/^http:/.test(address) && !options.allowHttp && !isLoopback(address))
    throw invalid('VAULT_ADDR is not encrypted: use https, or --allow-http in a network that you trust.');
  return {
    address,
    namespace: env.VAULT_NAMESPACE || undefined,
    caCert: env.VAULT_CACERT ? readCertificate(env.VAULT_CACERT) : undefined,
    mount: options.mount,
    allowHttp: options.allowHttp === true,
    syncPaths: env.KEYFERRY_SYNC_PATHS ? readSyncPaths(env.KEYFERRY_SYNC_PATHS) : undefined,
  };
}

function isLoopback(address: string): boolean {
  return URL.canParse(address) && /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(new URL(address).hostname);
}

function readCertificate(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw invalid(`VAULT_CACERT names ${file}, which can't be read (${(error as NodeJS.ErrnoException).code}).`);
  }
}

function readSyncPaths(text: string): string[] {
  let paths: unknown = null;
  try {
    paths = JSON.parse(text);
  } catch {
    // Said below.
  }
  const isText = (path: unknown): path is string => typeof path === 'string';
  if (Array.isArray(paths) && paths.length > 0 && paths.every(isText)) return paths;
  throw invalid('KEYFERRY_SYNC_PATHS has to be a JSON array of paths, such as ["bifrost/*"].');
}

const invalid = (message: string) => new KeyferryError('config_invalid', message);
