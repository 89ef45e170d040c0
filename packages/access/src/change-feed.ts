import { hash } from 'node:crypto';
import { KeyferryError, parseCacheTimes } from '@keyferry/core';
import { asStoreError, type Backend, type Changes, readChanges, type Store } from '@keyferry/store';
import type { Log } from '@keyferry/telemetry';
import { type FederatedBackend, federate } from './place.ts';

/** What was kept of a tenant is right for so long after a check began. */
const freshMs = 2_000;
/** Whoever asks waits for a check no longer than this. */
const patienceMs = 2_000;
/** With more changed paths than this all is flushed. */
const mostPaths = 10_000;
/** Delivered events are kept for a week: long before that, what was missed is not asked for any more. */
const longestGapMs = 3_600_000;

export interface ServedBackend extends FederatedBackend {
  cacheTimes: ReturnType<typeof parseCacheTimes>;
}

/** Told in the order in which things happened. */
export interface FeedListener {
  changed(paths: string[]): void;
  flush(): void;
}

/** What changes of one tenant's secrets, as Postgres tells it: the truth of what may be answered from memory. */
export interface ChangeFeed {
  /** Those that are not removed, as of the last check. */
  readonly backends: readonly ServedBackend[];
  /** When the last check that succeeded began, in milliseconds since the epoch. */
  readonly checkedAt: number;
  /** Another text whenever anything was changed. */
  readonly position: string;
  /** Why the last check failed, if it did. */
  readonly failure: unknown;
  isFresh(): boolean;
  /** Checks, if that is needed. Whether all that happened up to two seconds ago has been told. */
  ensureFresh(): Promise<boolean>;
  /** Asks Postgres once, or joins who asks. Rejects if it doesn't answer. */
  check(): Promise<void>;
  /** The same, but joins nobody who has begun before. */
  checkAnew(): Promise<void>;
}

export function createChangeFeed(
  services: { store: Store; now: () => Date; log: Log },
  tenantId: string,
  listener: FeedListener,
): ChangeFeed {
  const { store, log } = services;
  const now = () => services.now().getTime();
  let known: Omit<Changes, 'backends' | 'paths'> | null = null;
  let settings = '';
  let backends: readonly ServedBackend[] = [];
  let checkedAt = Number.NEGATIVE_INFINITY;
  let failure: unknown = null;
  let checking: { run: Promise<void>; began: number } | null = null;

  async function run(): Promise<void> {
    const began = now();
    const before = Math.abs(began - checkedAt) > longestGapMs ? null : known;
    const changes = await store.inTenant(tenantId, (tx) => readChanges(tx, before, mostPaths));
    const flushed = before === null || generationsOf(changes) !== generationsOf(before);
    const changed = changes.backends !== null && take(changes.backends);
    // Noted once it is taken in: what can't be is told by the next check.
    known = { position: changes.position, revisions: changes.revisions };
    checkedAt = began;
    if (flushed || changed || changes.paths === null) listener.flush();
    else if (changes.paths.length > 0) listener.changed(changes.paths);
  }

  /** Returns whether anything differs that decides on what is answered. */
  function take(found: readonly Backend[]): boolean {
    const times = new Map(found.map((backend) => [backend.id, parseCacheTimes(backend)]));
    backends = federate(found).map((federated) => ({
      ...federated,
      cacheTimes: times.get(federated.backend.id) as ServedBackend['cacheTimes'],
    }));
    const before = settings;
    settings = JSON.stringify(found.map((backend) => decidingSettings.map((name) => backend[name])));
    return settings !== before;
  }

  function check(): Promise<void> {
    if (checking) return checking.run;
    const attempt = run()
      .then(
        () => {
          failure = null;
        },
        (error: unknown) => {
          if (failure === null) log.warn({ error: error as Error }, 'changes of keys can’t be followed');
          failure = asStoreError(error);
          throw error;
        },
      )
      .finally(() => {
        checking = null;
      });
    checking = { run: attempt, began: performance.now() };
    return attempt;
  }

  // A clock that was set back says nothing of how long ago it was.
  const isFresh = () => Math.abs(now() - checkedAt) <= freshMs;
  return {
    get backends() {
      return backends;
    },
    get checkedAt() {
      return checkedAt;
    },
    get position() {
      return known === null ? '' : `${known.position}.${generationsOf(known)}.${hash('sha256', settings).slice(0, 16)}`;
    },
    get failure() {
      return failure ?? new KeyferryError('database_unavailable', 'The database did not answer in time.');
    },
    isFresh,
    async ensureFresh() {
      if (isFresh()) return true;
      const asked = check();
      const leftMs = patienceMs - (performance.now() - (checking?.began ?? 0));
      return (await within(asked, leftMs)) && isFresh();
    },
    check,
    async checkAnew() {
      await checking?.run.catch(() => {});
      await check();
    },
  };
}

/** Whether it succeeded in this time. */
async function within(work: Promise<void>, milliseconds: number): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), Math.max(0, milliseconds));
  try {
    return await Promise.race([
      work.then(
        () => true,
        () => false,
      ),
      late,
    ]);
  } finally {
    clearTimeout(timer);
  }
}

const generationsOf = ({ revisions }: Pick<Changes, 'revisions'>): number =>
  revisions.reduce((sum, { flushGeneration }) => sum + flushGeneration, 0);

/** What of a backend decides on what is answered. */
const decidingSettings = [
  'id',
  'name',
  'kind',
  'config',
  'credentials_version',
  'sync_paths',
  'exclude_paths',
  'path_mapping',
  'mode',
  'state',
  'cache_ttl_seconds',
  'max_stale_seconds',
  'cache_rules',
] as const satisfies (keyof Backend)[];
