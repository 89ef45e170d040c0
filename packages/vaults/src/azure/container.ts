import { classOf, vaultFailure } from '@keyferry/core';
import { untilAborted } from '../common/until-aborted.ts';
import type { CallOperation } from '../contract.ts';
import type { Session } from './session.ts';
import type { HttpAnswer } from './transport.ts';

interface Look {
  container: 'present' | 'unproven';
  /** Null where listing is forbidden. */
  answer: HttpAnswer | null;
}

export interface Container {
  /** Asks the vault for a single name. */
  look(operation: CallOperation, signal: AbortSignal): Promise<Look>;
  /**
   * Vouches for a 404 that a read has met, by a look at the vault that begins after it. Rejects with
   * `container_unproven` where the vault may not be listed.
   */
  prove(signal: AbortSignal): Promise<void>;
}

export function createContainer(session: Session): Container {
  let lastLook: Promise<unknown> = Promise.resolve();
  let nextLook: Promise<Look> | null = null;

  async function look(operation: CallOperation, signal: AbortSignal): Promise<Look> {
    const what = 'look into the vault';
    try {
      return await session.ask(
        { operation, what, signal },
        (sdk) => sdk.listPropertiesOfSecrets().byPage({ maxPageSize: 1 }).next(),
        (exchange) => {
          session.resultOf(exchange, what);
          return { container: 'present', answer: exchange.answer };
        },
      );
    } catch (error) {
      if (classOf(error) === 'forbidden') return { container: 'unproven', answer: null };
      throw error;
    }
  }

  /** A look that has not begun yet, shared by all who wait for one; it belongs to none, so that no abort ends it. */
  function freshLook(): Promise<Look> {
    nextLook ??= lastLook.then(() => {
      nextLook = null;
      const begun = look('detect', new AbortController().signal);
      lastLook = begun.catch(() => {});
      return begun;
    });
    return nextLook;
  }

  return {
    look,
    async prove(signal) {
      const { container } = await untilAborted(freshLook(), signal);
      if (container === 'unproven')
        throw vaultFailure('invalid', 'Nothing was found, but the vault may not be listed, which would prove it.', {
          code: 'container_unproven',
        });
    },
  };
}
