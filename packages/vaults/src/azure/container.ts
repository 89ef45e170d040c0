import { classOf, vaultFailure } from '@keyferry/core';
import { freshLooks } from '../common/fresh-look.ts';
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

  const freshLook = freshLooks((signal) => look('detect', signal));

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
