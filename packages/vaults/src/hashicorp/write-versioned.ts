import { classOf, vaultFailure } from '@keyferry/core';
import { canonicalJson, isObject, type JsonObject } from '../common/json.ts';
import type { VaultBackend } from '../contract.ts';
import type { HashicorpConfig } from './config.ts';
import { type Answer, dataOf, demandsCheckAndSet, failureOf, malformed, saysNothingHere } from './errors.ts';
import { encodePath } from './path.ts';
import { type StoredVersion, storedVersionOf } from './read.ts';
import type { Ask } from './session.ts';
import { stateOfRead } from './state.ts';
import { checkPath, fieldsOf, metadataOf } from './write-checks.ts';

export type Writer = Pick<VaultBackend, 'put' | 'remove' | 'restore'>;

/** Writes to KV 2, where the vault itself compares versions. */
export function createVersionedWriter(config: HashicorpConfig, ask: Ask, now: () => number): Writer {
  const urlOf = (area: string, path: string) => `${encodePath(config.mount)}/${area}/${encodePath(path)}`;

  /** What is there now, deleted or not; null if there is nothing. */
  function look(path: string, what: string, signal: AbortSignal): Promise<StoredVersion | null> {
    return ask('write', { path: urlOf('data', path), what }, signal, (answer) =>
      saysNothingHere(answer) ? null : storedVersionOf(answer, what, now()),
    );
  }

  /** Writes on condition that `cas` is the current version, and tells what the vault says of the new one. */
  async function send(path: string, fields: JsonObject, cas: number | undefined, signal: AbortSignal) {
    const what = `write "${path}"`;
    const json = { data: fields, ...(cas !== undefined && { options: { cas } }) };
    let sent = 0;
    const sending = () => void sent++;
    const read = (answer: Answer) => (demandsCheckAndSet(answer) ? null : dataOf(answer, what, now()));
    try {
      return await ask('write', { method: 'POST', path: urlOf('data', path), what, json, sending }, signal, read);
    } catch (error) {
      if (classOf(error) !== 'conflict' || sent === 1 || cas === undefined) throw error;
      // An answer may have been lost on its way, and what is in the way now be our own.
      const found = await look(path, what, signal);
      if (found?.state.version === String(cas + 1) && isSame(found.fields, fields)) return found.metadata;
      throw error;
    }
  }

  async function write(path: string, fields: JsonObject, expected: string | null | undefined, signal: AbortSignal) {
    const what = `write "${path}"`;
    const over = (found: StoredVersion | null) => send(path, fields, Number(found?.state.version ?? 0), signal);
    try {
      const written = await send(path, fields, casOf(path, expected), signal);
      if (written !== null) return written;
    } catch (error) {
      if (classOf(error) !== 'conflict' || expected !== null) throw error;
      // The vault compares with a version that was removed as well: it is no secret, and is recovered.
      const found = await look(path, what, signal);
      if (found === null || found.fields !== null) throw error;
      return over(found);
    }
    // The mount, or this secret, takes no write that doesn't say what it replaces.
    return over(await look(path, what, signal));
  }

  async function describe(path: string, metadata: Record<string, string>, signal: AbortSignal): Promise<void> {
    const question = {
      method: 'POST',
      path: urlOf('metadata', path),
      what: `write the metadata of "${path}", whose value was written`,
      json: { custom_metadata: metadata },
    } as const;
    await ask('write', question, signal, (answer) => expectNothing(answer, question.what, now()));
  }

  return {
    async put(path, value, { expectedVersion, metadata }, signal) {
      checkPath(path);
      const fields = fieldsOf(path, value);
      const custom = metadataOf(path, metadata);
      let written = await write(path, fields, expectedVersion, signal);
      if (custom !== null && written?.version === 1 && !isObject(written.custom_metadata)) {
        await describe(path, custom, signal);
        written = { ...written, custom_metadata: custom };
      }
      const state = written === null ? null : stateOfRead(written, now());
      if (state === null) throw malformed(`write "${path}"`);
      return { version: state.version, revision: state.revision };
    },

    async remove(path, signal) {
      checkPath(path);
      const question = { method: 'DELETE', path: urlOf('data', path), what: `remove "${path}"` } as const;
      await ask('write', question, signal, (answer) => expectNothing(answer, question.what, now()));
    },

    async restore(path, signal) {
      checkPath(path);
      const found = await look(path, `restore "${path}"`, signal);
      if (found === null || found.fields !== null || found.state.destroyed)
        throw vaultFailure('not_found', `The vault has nothing of "${path}" that could be restored.`);
      const question = {
        method: 'POST',
        path: urlOf('undelete', path),
        what: `restore "${path}"`,
        json: { versions: [Number(found.state.version)] },
      } as const;
      await ask('write', question, signal, (answer) => expectNothing(answer, question.what, now()));
    },
  };
}

function casOf(path: string, expected: string | null | undefined): number | undefined {
  if (expected === undefined) return undefined;
  if (expected === null) return 0;
  if (/^[1-9]\d{0,14}$/.test(expected)) return Number(expected);
  throw vaultFailure('conflict', `Could not write "${path}": the vault has no version of the name that is expected.`);
}

function isSame(found: JsonObject | null, fields: JsonObject): boolean {
  return found !== null && canonicalJson(found) === canonicalJson(fields);
}

/** Vault's answer to what has nothing to tell. */
export function expectNothing(answer: Answer, what: string, now: number): void {
  if (answer.status !== 204) throw failureOf(answer, what, now);
}
