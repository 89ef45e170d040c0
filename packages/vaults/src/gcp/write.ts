import { classOf, type SecretValue, vaultFailure } from '@keyferry/core';
import type { PutOptions, Written } from '../contract.ts';
import type { SdkCall } from './client.ts';
import { crc32c } from './crc32c.ts';
import { hasOnly, malformed } from './errors.ts';
import { type Names, readName } from './names.ts';
import type { SecretReader } from './read.ts';
import type { Ask } from './session.ts';
import type { Secret, Version } from './state.ts';

/** What Google takes for one version. */
const mostBytes = 64 * 1024;

/** What Google takes for the annotations of one secret, names and values together. */
const mostMetadataBytes = 16 * 1024;
const annotationName = /^[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?$/;

export interface SecretWriter {
  put(path: string, value: SecretValue, options: PutOptions, signal: AbortSignal): Promise<Written>;
  /** Whether there was something to remove. */
  remove(path: string, signal: AbortSignal): Promise<boolean>;
}

export function createSecretWriter(names: Names, regional: boolean, ask: Ask, reader: SecretReader): SecretWriter {
  async function addVersion(id: string, bytes: Buffer, what: string, signal: AbortSignal): Promise<Written> {
    const payload = { data: bytes, dataCrc32c: crc32c(bytes) };
    const call: SdkCall<Version> = async (sdk, options) =>
      (await sdk.addSecretVersion({ parent: names.secret(id), payload }, options))[0];
    const version = await ask('write', { call, what }, signal, ({ name }) => {
      const found = readName(name);
      if (found?.secret !== id || found.version === null) throw malformed(what);
      return found.version;
    });
    return { version, revision: null };
  }

  /** Whether it was made now: false if it is there already. */
  async function create(
    id: string,
    metadata: PutOptions['metadata'],
    what: string,
    signal: AbortSignal,
  ): Promise<boolean> {
    const secret = {
      ...(!regional && { replication: { automatic: {} } }),
      ...(metadata !== undefined && { annotations: metadata }),
    };
    const call: SdkCall<Secret> = async (sdk, options) =>
      (await sdk.createSecret({ parent: names.parent, secretId: id, secret }, options))[0];
    try {
      await ask('write', { call, what }, signal, ({ name }) => {
        if (readName(name)?.secret !== id) throw malformed(what);
      });
      return true;
    } catch (error) {
      if (classOf(error) === 'conflict') return false;
      throw error;
    }
  }

  /** The number of the newest version, or null where there is none that could be lost by another. */
  async function currentVersion(path: string, signal: AbortSignal): Promise<string | null> {
    try {
      const { version, state } = await reader.newest('metadata', path, signal);
      return state === 'destroyed' ? null : version;
    } catch (error) {
      if (classOf(error) === 'not_found') return null;
      throw error;
    }
  }

  /**
   * What was expected is not what is there. Google has no key that makes a write idempotent; but if the newest value is
   * the one to be written, this write was made before and its answer was lost, or it is as if it had been.
   */
  async function settle(path: string, bytes: Buffer, signal: AbortSignal): Promise<Written> {
    const newest = await reader.payload('read', path, 'latest', signal).catch((error) => {
      signal.throwIfAborted();
      if (['not_found', 'deleted', 'disabled'].includes(classOf(error))) return null;
      throw error;
    });
    if (newest?.bytes.equals(bytes)) return { version: newest.version, revision: null };
    throw vaultFailure('conflict', `Could not write "${path}": its version in the vault is not the one expected.`);
  }

  return {
    async put(path, value, { expectedVersion, metadata }, signal) {
      const what = `write "${path}"`;
      const id = names.secretOf(path, what);
      const bytes = value.reveal();
      checkSize(bytes, what);
      checkMetadata(metadata ?? {}, what);
      const add = () => addVersion(id, bytes, what, signal);

      if (expectedVersion === undefined) {
        try {
          return await add();
        } catch (error) {
          if (classOf(error) !== 'not_found') throw error;
          await create(id, metadata, what, signal);
          return await add();
        }
      }
      const matches = async () => (await currentVersion(path, signal)) === expectedVersion;
      if (!(await matches())) return settle(path, bytes, signal);
      if (expectedVersion !== null || (await create(id, metadata, what, signal))) return add();
      // It is there without a value: left so by a write that broke off, or made by somebody at this moment.
      return (await matches()) ? add() : settle(path, bytes, signal);
    },

    async remove(path, signal) {
      const what = `remove "${path}"`;
      const name = names.secret(names.secretOf(path, what));
      const call: SdkCall<unknown> = (sdk, options) => sdk.deleteSecret({ name }, options);
      try {
        await ask('write', { call, what }, signal, (_nothing, body) => {
          if (!hasOnly(body, [])) throw malformed(what);
        });
        return true;
      } catch (error) {
        if (classOf(error) === 'not_found') return false;
        throw error;
      }
    },
  };
}

function checkSize({ length }: Buffer, what: string): void {
  if (length === 0) throw vaultFailure('invalid', `Could not ${what}: Google Secret Manager takes no empty value.`);
  if (length > mostBytes)
    throw vaultFailure(
      'too_large',
      `Could not ${what}: it has ${length} bytes, and Google takes at most ${mostBytes}.`,
    );
}

function checkMetadata(metadata: Record<string, string>, what: string): void {
  const wrong = Object.keys(metadata).find((name) => !annotationName.test(name));
  if (wrong !== undefined)
    throw vaultFailure('invalid', `Could not ${what}: "${wrong}" can’t be the name of an annotation.`);
  const size = Object.entries(metadata).reduce((sum, entry) => sum + Buffer.byteLength(entry.join('')), 0);
  if (size > mostMetadataBytes)
    throw vaultFailure('too_large', `Could not ${what}: its metadata have more than ${mostMetadataBytes} bytes.`);
}
