import { classOf, vaultFailure } from '@keyferry/core';
import { untilAborted } from '../common/until-aborted.ts';
import type { CallOperation } from '../contract.ts';
import { readName } from './names.ts';
import { secretsPage } from './page.ts';
import type { Ask } from './session.ts';

export interface ContainerInspector {
  /** The project's number, or null where it holds no secret to tell it. Rejects if the project can't be seen. */
  inspect(operation: CallOperation, signal: AbortSignal): Promise<string | null>;
  /**
   * Vouches for a 404 that was met, by a look at the project that begins after it: wrong addresses answer 404 too.
   * Rejects with `container_unproven` or `container_missing`.
   */
  prove(signal: AbortSignal): Promise<void>;
}

export function createContainerInspector(parent: string, ask: Ask): ContainerInspector {
  let lastLook: Promise<unknown> = Promise.resolve();
  let nextLook: Promise<unknown> | null = null;

  async function inspect(operation: CallOperation, signal: AbortSignal): Promise<string | null> {
    const { items } = await secretsPage(ask, operation, parent, { size: 1, from: '' }, signal);
    return readName(items[0]?.name)?.project ?? null;
  }

  /** A look that has not begun yet, shared by all who wait for one; it belongs to none, so that no abort ends it. */
  function freshLook(): Promise<unknown> {
    nextLook ??= lastLook.then(() => {
      nextLook = null;
      const look = inspect('detect', new AbortController().signal);
      lastLook = look.catch(() => {});
      return look;
    });
    return nextLook;
  }

  return {
    inspect,
    async prove(signal) {
      try {
        await untilAborted(freshLook(), signal);
      } catch (error) {
        if (signal.aborted || classOf(error) !== 'forbidden') throw error;
        throw vaultFailure('invalid', `Nothing was found, but ${parent} can’t be seen to be there.`, {
          code: 'container_unproven',
        });
      }
    },
  };
}
