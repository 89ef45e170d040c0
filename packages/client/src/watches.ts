import { KeyferryClientError } from './error.ts';
import type { ChangeMessage } from './messages.ts';

export interface Watches {
  /** Returns what ends it. */
  add(reference: string, path: string, callback: (value: string) => void): () => void;
  onMessage(message: ChangeMessage): void;
  clear(): void;
}

interface Surroundings {
  read(reference: string): Promise<string>;
  /** In how many milliseconds what was read has to be read again, if nothing is told before. */
  validFor(reference: string): number;
  onError(error: KeyferryClientError): void;
}

interface Watch {
  readonly path: string;
  look(): Promise<void>;
  end(): void;
}

/** From one look at a value to the next without being told to, in milliseconds. */
const leastMs = 1_000;
const mostMs = 24 * 3_600_000;

export function createWatches({ read, validFor, onError }: Surroundings): Watches {
  const watches = new Set<Watch>();

  function createWatch(reference: string, path: string, callback: (value: string) => void): Watch {
    let looking = false;
    let again = false;
    let ended = false;
    let timer: NodeJS.Timeout | undefined;
    /** The value last seen; undefined before the first look has ended. */
    let last: { value: string | null } | undefined;
    /** The code of what was told of last, since when it could not be read; what stays so is told of once. */
    let trouble: string | undefined;

    async function look(): Promise<void> {
      again = true;
      if (looking) return;
      looking = true;
      clearTimeout(timer);
      while (again && !ended) {
        again = false;
        await once();
      }
      looking = false;
      if (!ended) timer = setTimeout(look, Math.min(Math.max(validFor(reference), leastMs), mostMs)).unref();
    }

    async function once(): Promise<void> {
      try {
        const value = await read(reference);
        const former = last;
        last = { value };
        trouble = undefined;
        if (ended || former === undefined || former.value === value) return;
        await callback(value);
      } catch (error) {
        // So that a secret which comes to be is told of, and one which comes back as it was is not.
        last ??= { value: null };
        const told = asClientError(error, reference);
        if (!ended && told.code !== trouble) onError(told);
        trouble = told.code;
      }
    }

    return {
      path,
      look,
      end() {
        ended = true;
        clearTimeout(timer);
      },
    };
  }

  return {
    add(reference, path, callback) {
      const watch = createWatch(reference, path, callback);
      watches.add(watch);
      void watch.look();
      return () => {
        watch.end();
        watches.delete(watch);
      };
    },
    onMessage(message) {
      if (message.type === 'alive') return;
      const paths = message.type === 'changed' ? new Set(message.paths) : null;
      for (const watch of watches) if (!paths || paths.has(watch.path)) void watch.look();
    },
    clear() {
      for (const watch of watches) watch.end();
      watches.clear();
    },
  };
}

/** What a callback throws is not repeated: it may hold the value. */
function asClientError(error: unknown, reference: string): KeyferryClientError {
  if (error instanceof KeyferryClientError) return error;
  return new KeyferryClientError('callback_failed', `What watches ${reference} threw an error.`, { reference });
}
