import type { SetSecretOptions } from '@azure/keyvault-secrets';
import { classOf, type SecretValue, vaultFailure } from '@keyferry/core';
import type { ConnectContext, PutOptions, Written } from '../contract.ts';
import { failureOf, malformed, showsSecret, wordsOf } from './errors.ts';
import type { Names } from './names.ts';
import type { NamedReading, SecretReader } from './read.ts';
import type { Recovery } from './recover.ts';
import type { Session } from './session.ts';
import { settled } from './settle.ts';
import { revisionOf, vaultNow } from './state.ts';
import type { HttpAnswer } from './transport.ts';
import { checkTags, textOf } from './writable.ts';

export interface SecretWriter {
  put(path: string, value: SecretValue, options: PutOptions, signal: AbortSignal): Promise<Written>;
  remove(path: string, signal: AbortSignal): Promise<void>;
  restore(path: string, signal: AbortSignal): Promise<void>;
}

/** In the way of a write, and passes by itself. */
const passing: readonly string[] = ['ObjectIsBeingDeleted', 'ObjectIsBeingRecovered'];

export function createWriter(parts: {
  session: Session;
  names: Names;
  reader: SecretReader;
  recovery: Recovery;
  context: ConnectContext;
}): SecretWriter {
  const { session, names, reader, recovery, context } = parts;

  /** What is there now; null where nothing is, or only something deleted. */
  async function currentOf(path: string, signal: AbortSignal): Promise<NamedReading | null> {
    try {
      return await reader.read('read', path, signal);
    } catch (error) {
      if (classOf(error) === 'not_found') return null;
      throw error;
    }
  }

  /** Whether it can be seen to be there. */
  async function isThere(path: string, signal: AbortSignal): Promise<boolean> {
    try {
      return (await currentOf(path, signal)) !== null;
    } catch (error) {
      if (classOf(error) === 'disabled') return true;
      if (classOf(error) === 'forbidden') return false;
      throw error;
    }
  }

  /** A new version has nothing of the one before: what is to stay is written again. */
  function fieldsOver(
    current: NamedReading | null,
    { path, name, metadata }: { path: string; name: string; metadata: Record<string, string> },
  ): SetSecretOptions {
    if (current === null) return { tags: metadata };
    if (current.name !== name)
      throw vaultFailure(
        'conflict',
        `Could not write "${path}": the vault has "${names.pathOf(current.name)}", and knows no difference between letters by case.`,
      );
    const { storedContentType: contentType } = current;
    return { tags: current.reading.metadata, ...(contentType !== null && { contentType }) };
  }

  /** What a write over a deleted secret finds: it is recovered first. One that can't be seen is not written over. */
  async function recovered(path: string, signal: AbortSignal): Promise<NamedReading | null> {
    const back = await recovery.recover(path, signal);
    if (back !== null && 'unread' in back) throw back.unread;
    return back?.current ?? null;
  }

  return {
    async put(path, value, { expectedVersion, metadata = {} }, signal) {
      const what = `write "${path}"`;
      const name = names.nameOf(path, what);
      const text = textOf(value, path);
      checkTags(metadata, path);
      const other = () =>
        vaultFailure('conflict', `Could not ${what}: the vault holds another version of it than expected.`);
      const current = await currentOf(path, signal);
      if (expectedVersion !== undefined && expectedVersion !== (current?.reading.version ?? null)) throw other();
      let fields = fieldsOver(current, { path, name, metadata });
      const send = () =>
        session.ask(
          { operation: 'write', what, signal },
          (sdk) => sdk.setSecret(name, text, fields),
          (exchange) => {
            const { answer } = exchange;
            const { innerCode } = wordsOf(answer);
            if (answer.status === 409 && innerCode === 'ObjectIsDeletedButRecoverable') return 'deleted';
            if (answer.status === 409 && passing.includes(innerCode)) return 'busy';
            const { properties } = session.resultOf(exchange, what);
            const revision = revisionOf(properties, vaultNow(answer.headers, context.now()));
            return { version: properties.version ?? null, revision };
          },
        );

      return settled(context, what, signal, async () => {
        let sent = await send();
        if (sent === 'deleted') {
          // Somebody has deleted the expected one since it was looked at.
          if (typeof expectedVersion === 'string') throw other();
          fields = fieldsOver(await recovered(path, signal), { path, name, metadata });
          sent = await send();
        }
        return typeof sent === 'string' ? null : { value: sent };
      });
    },

    async remove(path, signal) {
      const what = `delete "${path}"`;
      const place = `/secrets/${names.nameOf(path, what)}`;
      const read = (answer: HttpAnswer) => {
        const { innerCode } = wordsOf(answer);
        if (answer.status === 200 && !showsSecret(answer)) throw malformed(what);
        if (answer.status === 200 || innerCode === 'ObjectIsBeingDeleted') return { value: null };
        if (innerCode === 'ObjectIsBeingRecovered') return null;
        const failure = failureOf(answer, what, context.now());
        if (classOf(failure) === 'not_found') return { value: null };
        throw failure;
      };
      await settled(context, what, signal, () =>
        session.send({ operation: 'write', what, signal }, 'DELETE', place, read),
      );
    },

    async restore(path, signal) {
      const nothing = () => vaultFailure('not_found', `The vault has nothing of "${path}" that could be restored.`);
      if (await isThere(path, signal)) throw nothing();
      if ((await recovery.recover(path, signal)) !== null) return;
      // An answer may have been lost on its way, and what was deleted be back by that.
      if (!(await isThere(path, signal))) throw nothing();
    },
  };
}
