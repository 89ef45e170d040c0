import type { protos } from '@google-cloud/secret-manager';
import { SecretValue } from '@keyferry/core';
import { contentTypeOf } from '../common/content-type.ts';
import { fingerprint, sortedEntries } from '../common/revision.ts';
import type { CallOperation, ListedFacts, Presence, SecretReading, SecretVersion } from '../contract.ts';
import type { SdkCall } from './client.ts';
import { crc32c } from './crc32c.ts';
import { malformed } from './errors.ts';
import { type Names, readName } from './names.ts';
import type { Ask } from './session.ts';
import { factsOf, type Secret, stateOf, type Version } from './state.ts';

type Access = protos.google.cloud.secretmanager.v1.IAccessSecretVersionResponse;

/** A value, and the number of its version. */
export interface Payload {
  version: string;
  bytes: Buffer;
}

export interface SecretReader {
  /** The value of a version: its number, or `latest`. Rejects with `vault_not_found`, `vault_disabled`, `vault_deleted`. */
  payload(operation: CallOperation, path: string, version: string, signal: AbortSignal): Promise<Payload>;
  /** What is known of a secret beside its versions. Rejects with `vault_not_found`. */
  secret(operation: CallOperation, path: string, signal: AbortSignal): Promise<Secret>;
  /** The newest version, whatever its state. Rejects with `vault_not_found` also where the secret has none. */
  newest(
    operation: CallOperation,
    path: string,
    signal: AbortSignal,
  ): Promise<{ version: string; state: SecretVersion['state'] }>;
}

export function createSecretReader(names: Names, ask: Ask): SecretReader {
  return {
    payload(operation, path, version, signal) {
      const what = version === 'latest' ? `read "${path}"` : `read version ${version} of "${path}"`;
      const id = names.secretOf(path, what);
      const name = names.version(id, version);
      const call: SdkCall<Access> = async (sdk, options) => (await sdk.accessSecretVersion({ name }, options))[0];
      return ask(operation, { call, what }, signal, (answer) => payloadOf(answer, id, what));
    },
    secret(operation, path, signal) {
      const what = `look up "${path}"`;
      const id = names.secretOf(path, what);
      const call: SdkCall<Secret> = async (sdk, options) =>
        (await sdk.getSecret({ name: names.secret(id) }, options))[0];
      return ask(operation, { call, what }, signal, (secret) => {
        if (readName(secret.name)?.secret !== id) throw malformed(what);
        return secret;
      });
    },
    newest(operation, path, signal) {
      const what = `look up the newest version of "${path}"`;
      const id = names.secretOf(path, what);
      const name = names.version(id, 'latest');
      const call: SdkCall<Version> = async (sdk, options) => (await sdk.getSecretVersion({ name }, options))[0];
      return ask(operation, { call, what }, signal, (answer) => {
        const found = readName(answer.name);
        const state = stateOf(answer);
        if (found?.secret !== id || found.version === null || state === null) throw malformed(what);
        return { version: found.version, state };
      });
    },
  };
}

/** The value in an answer, if it is of that secret, and whole by the checksum that Google always sends with it. */
function payloadOf({ name, payload }: Access, id: string, what: string): Payload {
  const found = readName(name);
  const { data, dataCrc32c } = payload ?? {};
  if (found?.secret !== id || found.version === null || !(data instanceof Uint8Array)) throw malformed(what);
  if (dataCrc32c === undefined || dataCrc32c === null || String(dataCrc32c) !== String(crc32c(data)))
    throw malformed(what);
  return { version: found.version, bytes: Buffer.from(data.buffer, data.byteOffset, data.byteLength) };
}

export function readingOf({ version, bytes }: Payload, { metadata, expiresAt, since }: ListedFacts): SecretReading {
  return {
    value: new SecretValue(bytes),
    contentType: contentTypeOf(bytes),
    version,
    // No listing shows it, so that it is read each time; it tells whether labels or annotations have changed since.
    revision: `${version}.${fingerprint([sortedEntries(metadata), expiresAt])}`,
    createdAt: orderOf(version, since),
    expiresAt: expiresAt === null ? null : new Date(expiresAt),
    metadata,
  };
}

/**
 * Google doesn't tell with a value when its version was made, and `latest` may for a while be an older one than before.
 * Numbers rise within a secret, and begin anew with one that is made anew under the same name: a millisecond each after
 * the secret's own beginning gives them an order.
 */
function orderOf(version: string, since: string | null): Date | null {
  const time = new Date(since === null ? Number.NaN : Date.parse(since) + Number(version));
  return Number.isNaN(time.getTime()) ? null : time;
}

/** What was listed of a secret, or what it says of itself. */
export async function factsFor(
  reader: SecretReader,
  path: string,
  listed: ListedFacts | null,
  signal: AbortSignal,
): Promise<ListedFacts> {
  return listed ?? factsOf(await reader.secret('metadata', path, signal));
}

/** A version that is destroyed, or waits for it, is a deletion; one that is disabled is there. */
export function presenceOf(state: SecretVersion['state']): Presence {
  return state === 'destroyed' || state === 'deleted' ? 'deleted' : 'present';
}
