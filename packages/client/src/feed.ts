import { type Api, Away } from './api.ts';
import { clientError, KeyferryClientError } from './error.ts';
import { trustMs } from './freshness.ts';
import type { ChangeMessage } from './messages.ts';

/** A connection that is silent for so long is dead: another one is made. */
const silenceMs = 5_000;
/** From one try to the next: at first, and at most. */
const backoffMs = { first: 250, most: 5_000 };

/** Follows what changes in Keyferry, from `start` until the signal. */
export interface Feed {
  /** Until when it is known that nothing was missed. */
  readonly trustedUntil: number;
  start(): void;
}

interface Listener {
  /** The feed's own clock is brought up to date before. */
  onMessage(message: ChangeMessage): void;
  onError(error: KeyferryClientError): void;
}

export function createFeed(api: Api, now: () => number, closed: AbortSignal, listener: Listener): Feed {
  let trustedUntil = Number.NEGATIVE_INFINITY;
  let started = false;

  async function follow(): Promise<void> {
    for (let failures = 0; !closed.aborted; failures++) {
      const error = await connection(() => {
        // The first failure of each time that it is cut off is told.
        failures = 0;
      });
      trustedUntil = Number.NEGATIVE_INFINITY;
      if (closed.aborted) return;
      if (failures === 0) listener.onError(error);
      await pause(Math.min(backoffMs.first * 2 ** failures, backoffMs.most), closed);
    }
  }

  /** Resolves with the reason when a connection has ended. */
  async function connection(onAlive: () => void): Promise<KeyferryClientError> {
    const silent = new AbortController();
    let heardAt = now();
    const watchdog = setInterval(() => now() - heardAt > silenceMs && silent.abort(), 1_000).unref();
    try {
      for await (const message of api.changes(AbortSignal.any([closed, silent.signal]))) {
        heardAt = now();
        trustedUntil = heardAt + trustMs;
        onAlive();
        listener.onMessage(message);
      }
      return new Away('api_unavailable', 'Keyferry ended the connection that tells of changes.');
    } catch (error) {
      if (error instanceof KeyferryClientError) return error;
      return clientError('api_unavailable', 'The connection that tells of changes failed.');
    } finally {
      clearInterval(watchdog);
    }
  }

  return {
    get trustedUntil() {
      return trustedUntil;
    },
    start() {
      if (started) return;
      started = true;
      void follow();
    },
  };
}

/** Half of the time at least, and all of it at most: clients must not come back all at once. */
function pause(milliseconds: number, closed: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(end, milliseconds * (0.5 + Math.random() / 2)).unref();
    closed.addEventListener('abort', end);
    function end() {
      clearTimeout(timer);
      closed.removeEventListener('abort', end);
      resolve();
    }
  });
}
