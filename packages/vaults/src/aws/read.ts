import { classOf, isTransient, type KeyferryError, vaultFailure } from '@keyferry/core';
import { gather } from '../common/gather.ts';
import type { CallOperation, ConnectContext, FetchOutcome, FetchRef } from '../contract.ts';
import { createBatchReader } from './batch.ts';
import type { Container } from './container.ts';
import { type Describe, otherSecret } from './describe.ts';
import { checkName, isName, nameless } from './name.ts';
import type { Ask } from './session.ts';
import { readingOf, type StoredValue, storedValue } from './value.ts';

/** One value by itself: the current one, or that of a version. */
export type ReadValue = (
  operation: Extract<CallOperation, 'read' | 'history'>,
  path: string,
  version: string | null,
  signal: AbortSignal,
) => Promise<StoredValue>;

export function createValueReader(ask: Ask): ReadValue {
  return async (operation, path, version, signal) => {
    const what = version === null ? `read "${path}"` : `read version ${version} of "${path}"`;
    checkName(path, what);
    if (version !== null && (version.length < 32 || version.length > 64))
      throw vaultFailure('invalid', `Could not read "${path}": the id of a version has 32 to 64 characters.`);
    const { GetSecretValueCommand } = await import('@aws-sdk/client-secrets-manager');
    const command = new GetSecretValueCommand({ SecretId: path, ...(version !== null && { VersionId: version }) });
    return ask(operation, what, signal, async ({ client, options }) => {
      const entry = await client.send(command, options);
      const stored = storedValue(entry, what);
      if (entry.Name !== path) throw otherSecret(what);
      return stored;
    });
  };
}

/** The most that AWS reads at a time. */
const batchSize = 20;

interface FetchParts {
  ask: Ask;
  describe: Describe;
  readValue: ReadValue;
  container: Container;
  context: ConnectContext;
}

/** Reads many secrets, some at a time. Each has its own outcome; one that is asked for twice is read once. */
export function createFetch({ ask, describe, readValue, container, context }: FetchParts) {
  const batches = createBatchReader(ask);

  async function single(path: string, signal: AbortSignal): Promise<StoredValue | Error> {
    return readValue('read', path, null, signal).catch((error) => ownError(error, signal));
  }

  /** What a batch could not serve at the moment is asked for by itself, which is tried again as any call is. */
  async function readAgain(found: Map<string, StoredValue | Error>, signal: AbortSignal) {
    const later = [...found].filter(([, came]) => came instanceof Error && isTransient(classOf(came)));
    await Promise.all(later.map(async ([path]) => found.set(path, await single(path, signal))));
    return found;
  }

  async function readAll(paths: string[], signal: AbortSignal): Promise<Map<string, StoredValue | Error>> {
    if (batches.allowed) {
      try {
        const found = await batches.read(paths, signal);
        return await readAgain(found, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (!isOfTheBatch(error, paths.length)) return new Map(paths.map((path) => [path, ownError(error, signal)]));
      }
    }
    return new Map(await Promise.all(paths.map(async (path) => [path, await single(path, signal)] as const)));
  }

  async function outcomeOf(ref: FetchRef, stored: StoredValue | Error, signal: AbortSignal): Promise<FetchOutcome> {
    const { path } = ref;
    try {
      if (stored instanceof Error) {
        if (classOf(stored) === 'not_found') await container.prove(signal);
        throw stored;
      }
      return { path, reading: readingOf(stored, ref.facts ?? (await describe('metadata', path, signal)).facts) };
    } catch (error) {
      return { path, error: ownError(error, signal) };
    }
  }

  return async function* fetch(refs: readonly FetchRef[], signal: AbortSignal): AsyncGenerator<FetchOutcome> {
    const byPath = Map.groupBy(refs, ({ path }) => path);
    const named = [...byPath.keys()].filter(isName);
    let begun = 0;
    for (const ref of refs) if (!isName(ref.path)) yield { path: ref.path, error: nameless(`read "${ref.path}"`) };

    const read = async (paths: string[], taskSignal: AbortSignal): Promise<FetchOutcome[]> => {
      const found = await readAll(paths, taskSignal);
      const asked = paths.flatMap((path) => byPath.get(path) ?? []);
      return Promise.all(asked.map((ref) => outcomeOf(ref, found.get(ref.path) ?? leftOut(ref.path), taskSignal)));
    };
    const outcomes = gather(context, signal, () => {
      const paths = named.slice(begun, begun + (batches.allowed ? batchSize : 1));
      begun += paths.length;
      return paths.length === 0 ? undefined : (taskSignal) => read(paths, taskSignal);
    });
    for await (const some of outcomes) yield* some;
  };
}

/** Failures that a batch has as such, or for one of its secrets, and the others may not have one by one. */
function isOfTheBatch(error: unknown, size: number): boolean {
  const failureClass = classOf(error);
  return failureClass === 'forbidden' || (size > 1 && ['invalid', 'too_large'].includes(failureClass));
}

function ownError(error: unknown, signal: AbortSignal): Error {
  signal.throwIfAborted();
  return error instanceof Error ? error : new Error('unknown failure');
}

function leftOut(path: string): KeyferryError {
  return vaultFailure('invalid', `Could not read "${path}": AWS’s answer leaves it out.`);
}
