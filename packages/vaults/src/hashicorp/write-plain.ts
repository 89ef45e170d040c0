import { vaultFailure } from '@keyferry/core';
import type { HashicorpConfig } from './config.ts';
import { encodePath } from './path.ts';
import { presenceByRead, type SecretReader } from './read.ts';
import type { Ask } from './session.ts';
import { checkPath, fieldsOf, metadataOf } from './write-checks.ts';
import { expectNothing, type Writer } from './write-versioned.ts';

/** Writes to KV 1, which keeps neither versions nor metadata, and compares nothing: we look just before we write. */
export function createPlainWriter(
  config: HashicorpConfig,
  ask: Ask,
  readSecret: SecretReader,
  now: () => number,
): Writer {
  const urlOf = (path: string) => `${encodePath(config.mount)}/${encodePath(path)}`;

  return {
    async put(path, value, { expectedVersion, metadata }, signal) {
      checkPlainPath(path);
      const json = fieldsOf(path, value);
      if (Object.keys(json).length === 0) throw refused(path, 'KV version 1 stores no value without fields');
      if (metadataOf(path, metadata) !== null) throw refused(path, 'KV version 1 keeps no metadata');
      if (expectedVersion != null)
        throw vaultFailure(
          'conflict',
          `Could not write "${path}": KV version 1 has no versions that could be expected.`,
        );
      if (expectedVersion === null && (await presenceByRead(readSecret('write', path, 1, signal))) === 'present')
        throw vaultFailure('conflict', `Could not write "${path}": it is there already.`);
      const question = { method: 'POST', path: urlOf(path), what: `write "${path}"`, json } as const;
      await ask('write', question, signal, (answer) => expectNothing(answer, question.what, now()));
      return { version: null, revision: null };
    },

    async remove(path, signal) {
      checkPlainPath(path);
      const question = { method: 'DELETE', path: urlOf(path), what: `remove "${path}"` } as const;
      await ask('write', question, signal, (answer) => expectNothing(answer, question.what, now()));
    },

    async restore(path) {
      throw vaultFailure('invalid', `Could not restore "${path}": KV version 1 removes for good.`);
    },
  };
}

function checkPlainPath(path: string): void {
  checkPath(path);
  // Here the path is the storage's own, which allows two periods nowhere.
  if (path.includes('..')) throw refused(path, 'KV version 1 allows no ".." in a name');
}

function refused(path: string, why: string) {
  return vaultFailure('invalid', `Could not write "${path}": ${why}.`);
}
