import { classOf } from '@keyferry/core';
import type { SecretRef } from '../contract.ts';
import type { HashicorpConfig } from './config.ts';
import { dataOf, malformed, saysNothingHere } from './errors.ts';
import { encodePath, isAddressable } from './path.ts';
import type { Ask } from './session.ts';
import { stateOfMetadata, type VersionState } from './state.ts';

/** A listed secret of which nothing but its name is known. */
export function bareRef(path: string): SecretRef {
  return { path, facts: null, version: null, revision: null, deleted: false };
}

export function refOf(path: string, state: VersionState | null): SecretRef {
  if (state === null) return bareRef(path);
  return { path, facts: null, version: state.version, revision: state.revision, deleted: state.deleted };
}

/** The state of a KV 2 secret by its metadata; null if there is no such secret. Anything unclear rejects. */
export function createMetadataReader(config: HashicorpConfig, ask: Ask, now: () => number) {
  const base = `${encodePath(config.mount)}/metadata/`;
  return (operation: 'metadata' | 'confirm', path: string, signal: AbortSignal): Promise<VersionState | null> => {
    const request = { path: base + encodePath(path), what: `read the metadata of "${path}"` };
    return ask(operation, request, signal, (answer) => {
      if (saysNothingHere(answer)) return null;
      const state = stateOfMetadata(dataOf(answer, request.what, now()), now());
      if (state === null) throw malformed(request.what);
      return state;
    });
  };
}

export type MetadataReader = ReturnType<typeof createMetadataReader>;

/** So many refusals, and no success, say that the policy has no metadata at all: the rest isn't asked for. */
const refusalsToStop = 3;

/** Failures of one secret's metadata that leave the others alone: the secret is read in full instead. */
const ownFailures: readonly string[] = ['forbidden', 'invalid', 'too_large', 'not_found', 'deleted', 'disabled'];

/** Asks for revisions in one listing. */
export function createRevisionReader(readMetadata: MetadataReader) {
  let refusals = 0;
  let successes = 0;

  return {
    get worthwhile(): boolean {
      return successes > 0 || refusals < refusalsToStop;
    },
    async read(path: string, signal: AbortSignal): Promise<SecretRef> {
      if (!this.worthwhile || !isAddressable(path)) return bareRef(path);
      try {
        const state = await readMetadata('metadata', path, signal);
        successes++;
        return refOf(path, state);
      } catch (error) {
        signal.throwIfAborted();
        const failureClass = classOf(error);
        if (!ownFailures.includes(failureClass)) throw error;
        if (failureClass === 'forbidden') refusals++;
        return bareRef(path);
      }
    },
  };
}
