import { LRUCache } from 'lru-cache';
import type { HeldSecret, Outcome } from './held-secret.ts';

/** One read of a path that is under way, which all who want the path meanwhile share. */
export interface Load {
  readonly promise: Promise<Outcome>;
  /** Keeps what was read, unless the path was changed or everything flushed since it began. */
  end(outcome: Outcome, keep: boolean): void;
}

/** Values of secrets in memory, each under its tenant and path; those used longest ago go when they are too many bytes. */
export interface SecretCache {
  get(tenantId: string, path: string): HeldSecret | undefined;
  /** The read of this path that is under way. What began before a change of it is not joined any more. */
  loading(tenantId: string, path: string): Promise<Outcome> | undefined;
  begin(tenantId: string, path: string): Load;
  drop(tenantId: string, paths: Iterable<string>): void;
  flush(tenantId: string): void;
  held(tenantId: string): HeldSecret[];
}

/** What an entry takes beside its value and its names, in bytes. */
const overhead = 512;

export function createSecretCache(maxBytes: number): SecretCache {
  const kept = new LRUCache<string, HeldSecret>({
    maxSize: maxBytes,
    // The value is there as it was read, and as it is answered.
    sizeCalculation: ({ value, path }) => 3 * value.size + 2 * path.length + overhead,
  });
  const loads = new Map<string, Load>();
  // A tenant's id has always the same length, so that no two of them make one key.
  const keyOf = (tenantId: string, path: string) => tenantId + path;
  const drop = (key: string) => {
    kept.delete(key);
    loads.delete(key);
  };
  return {
    get: (tenantId, path) => kept.get(keyOf(tenantId, path)),
    loading: (tenantId, path) => loads.get(keyOf(tenantId, path))?.promise,
    begin(tenantId, path) {
      const key = keyOf(tenantId, path);
      const { promise, resolve } = Promise.withResolvers<Outcome>();
      const load: Load = {
        promise,
        end(outcome, keep) {
          // Whatever took its place here, or nothing, means that it is out of date.
          if (loads.get(key) === load) {
            loads.delete(key);
            if (keep && 'secret' in outcome) kept.set(key, outcome.secret);
          }
          resolve(outcome);
        },
      };
      loads.set(key, load);
      return load;
    },
    drop(tenantId, paths) {
      for (const path of paths) drop(keyOf(tenantId, path));
    },
    flush(tenantId) {
      for (const key of [...kept.keys(), ...loads.keys()]) if (key.startsWith(tenantId)) drop(key);
    },
    held: (tenantId) => [...kept.entries()].flatMap(([key, secret]) => (key.startsWith(tenantId) ? [secret] : [])),
  };
}
