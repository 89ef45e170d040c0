import { type Api, Away } from './api.ts';
import { type Answer, createBatches } from './batches.ts';
import { createEntries, type Entry } from './entries.ts';
import { clientError, KeyferryClientError } from './error.ts';
import { createTold, validUntil } from './freshness.ts';
import type { ChangeMessage } from './messages.ts';
import type { Settings } from './options.ts';

/** Values of secrets, kept in memory for as long as they are known to be of now. */
export interface Reader {
  /** What is kept of a reference, whether it may be given or not. */
  get(reference: string): Entry | undefined;
  /** Asks Keyferry, and goes on with what is kept where Keyferry can't be reached. */
  read(reference: string, path: string): Promise<string>;
  /** Takes in what Keyferry tells of changes. */
  onMessage(message: ChangeMessage): void;
  clear(): void;
}

/** A reading that is under way. Whoever asks for the same joins it, unless it was told meanwhile that it changed. */
interface Flight {
  readonly path: string;
  readonly value: Promise<string>;
  overtaken: boolean;
}

/** While Keyferry is away it is asked for a reference that is read once in so long, in milliseconds. */
const probeMs = 1_000;

/** Codes of Keyferry's own troubles, as opposed to those of a vault or a secret. */
const troubles = new Set(['database_unavailable', 'database_outdated', 'redis_unavailable', 'internal']);

export function createReader(api: Api, { cacheTtlMs, maxStaleMs, maxEntries, now }: Settings): Reader {
  const entries = createEntries(maxEntries);
  const batches = createBatches(api, now);
  const told = createTold();
  const flights = new Map<string, Flight>();
  let probedAt = Number.NEGATIVE_INFINITY;

  /** What is kept, if it is young enough to be given while Keyferry is away. */
  function older(reference: string): Entry | undefined {
    const entry = entries.get(reference);
    if (!entry || now() - entry.askedAt < maxStaleMs) return entry;
    entries.delete(reference);
    return undefined;
  }

  function read(reference: string, path: string): Promise<string> {
    const entry = api.away ? older(reference) : undefined;
    if (!entry) return fly(reference, path);
    // Nobody waits for somebody who is away; asking tells when they are back.
    if (now() - probedAt >= probeMs) {
      probedAt = now();
      fly(reference, path).catch(() => {});
    }
    return entry.ready;
  }

  function fly(reference: string, path: string): Promise<string> {
    const known = flights.get(reference);
    if (known) return known.value;
    const value = batches.ask(reference, older(reference) !== undefined).then(
      (answer) => landed(answer, flight),
      (error) => failed(error, reference),
    );
    const flight: Flight = { path, value: value.finally(() => leave(reference, flight)), overtaken: false };
    flights.set(reference, flight);
    return flight.value;
  }

  function leave(reference: string, flight: Flight): void {
    if (flights.get(reference) === flight) flights.delete(reference);
  }

  function landed({ item, askedAt }: Answer, { path, overtaken }: Flight): string {
    const { reference } = item;
    if ('error' in item) {
      const { code, message, action } = item.error;
      if (troubles.has(code)) return failed(new Away(code, message, { action }), reference);
      entries.delete(reference);
      throw new KeyferryClientError(code, message, { reference, action });
    }
    const { value, encoding } = item;
    if (encoding !== 'utf8' || value === '') entries.delete(reference);
    if (encoding !== 'utf8') throw clientError('value_not_text', `The value of ${reference} is no text.`, reference);
    if (value === '') throw clientError('value_empty', `The value of ${reference} is empty.`, reference);
    if (overtaken) return value;
    const until = validUntil(askedAt, told.lastOf(path), cacheTtlMs);
    entries.set(reference, { path, value, ready: Promise.resolve(value), askedAt, validUntil: until });
    return value;
  }

  function failed(error: unknown, reference: string): string {
    if (!(error instanceof KeyferryClientError)) throw error;
    const entry = error instanceof Away ? older(reference) : undefined;
    if (entry) return entry.value;
    // Who may not read any more may not read what is kept either.
    if (error.code === 'unauthorized' || error.code === 'forbidden') entries.clear();
    const { code, message, action } = error;
    throw new KeyferryClientError(code, message, { reference, action });
  }

  /** Nobody joins a reading any more that began before it was told that what it reads changed. */
  function overtake(concerns: (flight: Flight) => boolean): void {
    for (const [reference, flight] of flights) {
      if (!concerns(flight)) continue;
      flight.overtaken = true;
      flights.delete(reference);
    }
  }

  function onMessage(message: ChangeMessage): void {
    const at = now();
    switch (message.type) {
      case 'hello':
        told.all(at);
        entries.doubtAll();
        break;
      case 'flush':
        told.all(at);
        clear();
        break;
      case 'changed': {
        const paths = new Set(message.paths);
        told.paths(message.paths, at);
        entries.deletePaths(paths);
        overtake(({ path }) => paths.has(path));
        break;
      }
      case 'alive':
        told.forget(at);
    }
  }

  function clear(): void {
    entries.clear();
    overtake(() => true);
  }

  return { get: entries.get, read, onMessage, clear };
}
