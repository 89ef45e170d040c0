import { classOf, vaultFailure } from '@keyferry/core';
import { freshLooks } from '../common/fresh-look.ts';
import { untilAborted } from '../common/until-aborted.ts';
import type { CallOperation, Probe } from '../contract.ts';
import { readName } from './names.ts';
import { secretsPage } from './page.ts';
import type { Ask } from './session.ts';

export interface ContainerInspector {
  /** Whether the project can be seen, and its number where a secret in it tells that. Rejects if it isn't there. */
  probe(signal: AbortSignal): Promise<Pick<Probe, 'container' | 'containerId'>>;
  /**
   * Vouches for a 404 that was met, by a look at the project that begins after it: wrong addresses answer 404 too.
   * Rejects with `container_unproven` or `container_missing`.
   */
  prove(signal: AbortSignal): Promise<void>;
}

export function createContainerInspector(parent: string, ask: Ask): ContainerInspector {
  async function inspect(operation: CallOperation, signal: AbortSignal): Promise<string | null> {
    const { items } = await secretsPage(ask, operation, parent, { size: 1, from: '' }, signal);
    return readName(items[0]?.name)?.project ?? null;
  }

  const freshLook = freshLooks((signal) => inspect('detect', signal));

  return {
    async probe(signal) {
      try {
        return { container: 'present', containerId: await inspect('probe', signal) };
      } catch (error) {
        // Single secrets may be read all the same.
        if (classOf(error) === 'forbidden') return { container: 'unproven', containerId: null };
        throw error;
      }
    },
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
