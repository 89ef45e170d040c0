import { vaultFailure } from '@keyferry/core';
import type { AmbientIdentity } from '../contract.ts';
import type { GcpAuth } from './config.ts';
import { typeOf } from './document.ts';
import { isMachineIdentity, readExternalAccount, readSource, type SubjectSource } from './external-account.ts';
import { readServiceAccount } from './service-account.ts';

/** What is wrong with the document in `credentials_json`, in words that go after its name, or null. */
export function problemOfDocument(auth: GcpAuth, endpoint: string | undefined): string | null {
  if (auth.method !== 'service_account' && auth.method !== 'workload_identity') return null;
  if (auth.credentials_json === undefined) return null;
  const read = auth.method === 'service_account' ? readServiceAccount : readExternalAccount;
  const found = read(auth.credentials_json, endpoint);
  return 'problem' in found ? found.problem : null;
}

/** The operator's files that these credentials name. */
export function filesOf(auth: GcpAuth): string[] {
  if (auth.method !== 'service_account' && auth.method !== 'workload_identity') return [];
  if (auth.credentials_file !== undefined) return [auth.credentials_file];
  const source = sourceOf(auth);
  return source?.kind === 'file' ? [source.file] : [];
}

/** Identities of the machine that these credentials use. */
export function identitiesOf(auth: GcpAuth): AmbientIdentity[] {
  if (auth.method === 'metadata_server' || auth.method === 'default') return ['gcp'];
  const source = sourceOf(auth);
  if (source?.kind === 'aws') return ['aws'];
  return source?.kind === 'url' && isMachineIdentity(source.url) ? ['azure'] : [];
}

function sourceOf(auth: GcpAuth): SubjectSource | null {
  if (auth.method !== 'workload_identity' || auth.credentials_json === undefined) return null;
  return readSource(auth.credentials_json);
}

/** The members of `auth` that a document gives: a file as Google gave it, or an object of members. */
export function membersOfDocument(method: string, text: string): Record<string, unknown> {
  if (method === 'metadata_server' || method === 'default')
    throw unusable(`The method ${method} takes no credentials: leave credentials_path out.`);
  if (typeOf(text) !== null) return { credentials_json: text };
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return { ...parsed };
  } catch {
    // Told below, without a part of it.
  }
  throw unusable('The document of credentials is no JSON object: it must be the file that Google gave.');
}

function unusable(what: string) {
  return vaultFailure('invalid', what, { code: 'config_invalid' });
}
