import { classOf, SecretValue, vaultFailure } from '@keyferry/core';
import { canonicalJson, isObject, type JsonObject } from '../common/json.ts';
import type { CallOperation, Presence, SecretReading } from '../contract.ts';
import type { HashicorpConfig } from './config.ts';
import { type Answer, dataOf, malformed, saysNothingHere } from './errors.ts';
import type { KvVersion } from './mount.ts';
import { encodePath, isAddressable } from './path.ts';
import type { Ask } from './session.ts';
import { stateOfRead, type VersionState } from './state.ts';

/** Reads one secret, or one version of it. Rejects with `vault_not_found` or `vault_deleted` where the vault says so, and for no other reason. */
export type SecretReader = (
  operation: Extract<CallOperation, 'read' | 'confirm' | 'history' | 'write'>,
  path: string,
  version: KvVersion,
  signal: AbortSignal,
  number?: string,
) => Promise<SecretReading>;

export function createSecretReader(config: HashicorpConfig, ask: Ask, now: () => number): SecretReader {
  const mount = encodePath(config.mount);
  return async (operation, path, version, signal, number) => {
    if (!isAddressable(path))
      throw vaultFailure('invalid', `Could not read "${path}": a vault can't be asked for a name with such segments.`);
    const what = number === undefined ? `read "${path}"` : `read version ${number} of "${path}"`;
    const query = number === undefined ? '' : `?version=${number}`;
    const url = version === 2 ? `${mount}/data/${encodePath(path)}${query}` : `${mount}/${encodePath(path)}`;
    const read = version === 2 ? readVersioned : readPlain;
    return ask(operation, { path: url, what }, signal, (answer) => {
      if (saysNothingHere(answer))
        throw vaultFailure(
          'not_found',
          `The vault has no ${number === undefined ? '' : `version ${number} of `}"${path}".`,
        );
      return read(answer, path, what, now());
    });
  };
}

/** A version as a read of its data shows it; without fields if it is deleted or destroyed. */
export interface StoredVersion {
  /** As the vault tells it. */
  metadata: JsonObject;
  state: VersionState;
  fields: JsonObject | null;
}

/** The version in the answer to a read of data. Throws the failure it means otherwise, or `vault_invalid`. */
export function storedVersionOf(answer: Answer, what: string, now: number): StoredVersion {
  const body = isObject(answer.body) ? answer.body : {};
  // A deleted version answers 404, though with its metadata: that tells it from a secret that isn't there.
  const gone = answer.status === 404 && isObject(body.data) ? body.data : null;
  const data = gone ?? dataOf(answer, what, now);
  const { metadata, data: fields } = data;
  const state = isObject(metadata) ? stateOfRead(metadata, now) : null;
  if (!isObject(metadata) || state === null) throw malformed(what);
  if (fields === null && (gone !== null || state.deleted)) return { metadata, state, fields };
  if (answer.status !== 200 || !isObject(fields)) throw malformed(what);
  return { metadata, state, fields };
}

function readVersioned(answer: Answer, path: string, what: string, now: number): SecretReading {
  const { state, fields } = storedVersionOf(answer, what, now);
  const { version, revision, createdAt, expiresAt, metadata } = state;
  if (fields === null) throw vaultFailure('deleted', `Version ${version} of "${path}" is deleted in the vault.`);
  return { ...contentsOf(fields, what), version, revision, createdAt, expiresAt, metadata };
}

/** KV 1 keeps no versions and no metadata: the whole of `data` is the value. */
function readPlain(answer: Answer, _path: string, what: string, now: number): SecretReading {
  const value = contentsOf(dataOf(answer, what, now), what);
  return { ...value, version: null, revision: null, createdAt: null, expiresAt: null, metadata: {} };
}

function contentsOf(fields: object, what: string): Pick<SecretReading, 'value' | 'contentType'> {
  try {
    return { value: SecretValue.fromText(canonicalJson(fields)), contentType: 'application/json' };
  } catch {
    throw vaultFailure('too_large', `Could not ${what}: its JSON is nested too deeply.`);
  }
}

/** What a direct read proves about a path. Rejects with whatever proves nothing. */
export async function presenceByRead(reading: Promise<SecretReading>): Promise<Presence> {
  try {
    await reading;
    return 'present';
  } catch (error) {
    const failureClass = classOf(error);
    if (failureClass === 'not_found') return 'absent';
    if (failureClass === 'deleted') return 'deleted';
    throw error;
  }
}
