import { classOf, SecretValue, vaultFailure } from '@keyferry/core';
import type { CallOperation, Presence, SecretReading } from '../contract.ts';
import type { HashicorpConfig } from './config.ts';
import { type Answer, dataOf, malformed, saysNothingHere } from './errors.ts';
import { canonicalJson, isObject } from './json.ts';
import type { KvVersion } from './mount.ts';
import { encodePath, isAddressable } from './path.ts';
import type { Ask } from './session.ts';
import { stateOfRead } from './state.ts';

/** Reads one secret. Rejects with `vault_not_found` or `vault_deleted` where the vault says so, and for no other reason. */
export type SecretReader = (
  operation: Extract<CallOperation, 'read' | 'confirm'>,
  path: string,
  version: KvVersion,
  signal: AbortSignal,
) => Promise<SecretReading>;

export function createSecretReader(config: HashicorpConfig, ask: Ask, now: () => number): SecretReader {
  const mount = encodePath(config.mount);
  return async (operation, path, version, signal) => {
    if (!isAddressable(path))
      throw vaultFailure('invalid', `Could not read "${path}": a vault can't be asked for a name with such segments.`);
    const what = `read "${path}"`;
    const url = version === 2 ? `${mount}/data/${encodePath(path)}` : `${mount}/${encodePath(path)}`;
    const read = version === 2 ? readVersioned : readPlain;
    return ask(operation, { path: url, what }, signal, (answer) => {
      if (saysNothingHere(answer)) throw vaultFailure('not_found', `The vault has no "${path}".`);
      return read(answer, path, what, now());
    });
  };
}

function readVersioned(answer: Answer, path: string, what: string, now: number): SecretReading {
  const body = isObject(answer.body) ? answer.body : {};
  // A deleted version answers 404, though with its metadata: that tells it from a secret that isn't there.
  const gone = answer.status === 404 && isObject(body.data) ? body.data : null;
  const data = gone ?? dataOf(answer, what, now);
  const state = isObject(data.metadata) ? stateOfRead(data.metadata, now) : null;
  if (state === null) throw malformed(what);
  if (data.data === null && (gone !== null || state.deleted))
    throw vaultFailure('deleted', `Version ${state.version} of "${path}" is deleted in the vault.`);
  if (answer.status !== 200 || !isObject(data.data)) throw malformed(what);
  const { version, revision, createdAt, expiresAt, metadata } = state;
  return { ...contentsOf(data.data, what), version, revision, createdAt, expiresAt, metadata };
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
