import { classOf, type SecretValue, vaultFailure } from '@keyferry/core';
import type { CallOperation, ListedFacts, PutOptions, Written } from '../contract.ts';
import type { AwsConfig } from './config.ts';
import type { Container } from './container.ts';
import type { Describe } from './describe.ts';
import { malformed } from './errors.ts';
import { checkNewName } from './name.ts';
import type { ReadValue } from './read.ts';
import type { Restore } from './remove.ts';
import type { Ask } from './session.ts';
import { revisionOf, type SecretState } from './state.ts';
import { checkTags } from './tags.ts';
import { checkValue, isText } from './value.ts';

interface WriteParts {
  ask: Ask;
  describe: Describe;
  readValue: ReadValue;
  container: Container;
  restore: Restore;
  config: AwsConfig;
}

type Content = { SecretString: string } | { SecretBinary: Uint8Array };

const operation: CallOperation = 'write';

/** Writes a value as `VaultBackend.put` says. AWS compares no versions itself: it is looked at just before. */
export function createPut({ ask, describe, readValue, container, restore, config }: WriteParts) {
  async function stateNow(path: string, signal: AbortSignal): Promise<SecretState | null> {
    try {
      return await describe('metadata', path, signal);
    } catch (error) {
      if (classOf(error) !== 'not_found') throw error;
      await container.prove(signal);
      return null;
    }
  }

  /** A secret keeps its form, since whoever reads it looks for the value in one place alone. */
  async function isKeptAsBytes(path: string, signal: AbortSignal): Promise<boolean> {
    try {
      return !(await readValue('read', path, null, signal)).isText;
    } catch (error) {
      if (['forbidden', 'not_found', 'deleted'].includes(classOf(error))) return false;
      throw error;
    }
  }

  async function create(path: string, content: Content, options: PutOptions, signal: AbortSignal): Promise<string> {
    const { CreateSecretCommand } = await import('@aws-sdk/client-secrets-manager');
    const command = new CreateSecretCommand({
      Name: path,
      ClientRequestToken: options.idempotencyKey,
      ...content,
      ...(config.kms_key_id !== undefined && { KmsKeyId: config.kms_key_id }),
      ...(options.metadata && { Tags: Object.entries(options.metadata).map(([Key, Value]) => ({ Key, Value })) }),
    });
    const what = `create "${path}"`;
    return ask(operation, what, signal, async ({ client, options: call }) =>
      versionIn(await client.send(command, call), what),
    );
  }

  async function addVersion(path: string, content: Content, key: string, signal: AbortSignal): Promise<string> {
    const { PutSecretValueCommand } = await import('@aws-sdk/client-secrets-manager');
    const command = new PutSecretValueCommand({ SecretId: path, ClientRequestToken: key, ...content });
    const what = `write "${path}"`;
    return ask(operation, what, signal, async ({ client, options }) =>
      versionIn(await client.send(command, options), what),
    );
  }

  return async (path: string, value: SecretValue, options: PutOptions, signal: AbortSignal): Promise<Written> => {
    signal.throwIfAborted();
    const what = `write "${path}"`;
    const { expectedVersion, idempotencyKey: key, metadata = {} } = options;
    checkNewName(path, what);
    checkValue(value, what);
    checkTags(metadata, what);
    const bytes = value.reveal();
    const text = isText(bytes);

    const state = await stateNow(path, signal);
    if (expectedVersion !== undefined && !isExpected(state, expectedVersion, key)) throw changed(what);
    if (state === null) {
      try {
        const version = await create(path, contentOf(bytes, text), options, signal);
        return written(version, { metadata });
      } catch (error) {
        if (classOf(error) !== 'conflict' || expectedVersion !== undefined) throw error;
        // Somebody has created it meanwhile, and is to be written over.
      }
    }
    if (state?.scheduled) await restore(path, signal);
    const asText = text && !(state?.version !== null && (await isKeptAsBytes(path, signal)));
    const version = await addVersion(path, contentOf(bytes, asText), key, signal);
    // Of what somebody else has created, the tags are not known; nor is what is current, if this was written before.
    const superseded = state?.versionIds.includes(key) === true && state.version !== key;
    return state === null || superseded ? { version, revision: null } : written(version, state.facts);
  };
}

/** A version with this key is this write, made before: it was expected then. */
function isExpected(state: SecretState | null, expected: string | null, key: string): boolean {
  if (state?.versionIds.includes(key)) return true;
  const current = state === null || state.scheduled ? null : state.version;
  return current === expected;
}

function contentOf(bytes: Buffer, text: boolean): Content {
  return text ? { SecretString: bytes.toString() } : { SecretBinary: bytes };
}

function versionIn({ VersionId }: { VersionId?: string | undefined }, what: string): string {
  if (typeof VersionId !== 'string' || VersionId === '') throw malformed(what);
  return VersionId;
}

function written(version: string, facts: Pick<ListedFacts, 'metadata'>): Written {
  return { version, revision: revisionOf(version, facts) };
}

function changed(what: string) {
  return vaultFailure('conflict', `Could not ${what}: the vault has another version than the one expected.`);
}
