import { vaultFailure } from '@keyferry/core';
import type { ConnectContext } from '../contract.ts';

/** Deleting and recovering take seconds at the vault, and now and then half a minute. */
const pauseMs = 2_000;
const mostTries = 30;

/** Tries again, with pauses, until there is a value. Null: not yet. `what` goes after "Could not". */
export async function settled<T>(
  context: ConnectContext,
  what: string,
  signal: AbortSignal,
  attempt: () => Promise<{ value: T } | null>,
): Promise<T> {
  for (let tries = 0; tries < mostTries; tries++) {
    if (tries > 0) await pause(context, signal);
    const found = await attempt();
    if (found !== null) return found.value;
  }
  throw vaultFailure('unavailable', `Could not ${what}: the vault is still deleting or recovering it.`);
}

function pause(context: ConnectContext, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const abort = () => {
      cancel();
      reject(signal.reason);
    };
    const cancel = context.later(pauseMs, () => {
      signal.removeEventListener('abort', abort);
      resolve();
    });
    signal.addEventListener('abort', abort, { once: true });
  });
}
