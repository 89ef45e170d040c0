import { setTimeout as pause } from 'node:timers/promises';
import type { EventPage } from '@keyferry/contracts';
import { KeyferryError } from '@keyferry/core';
import { ApiError } from '../api/api-error.ts';
import type { ApiClient } from '../api/client.ts';

export type FederationEvent = EventPage['items'][number];

const pollMs = 500;
/** The API may be restarted under us; away for longer, it isn't coming back by itself. */
const patienceMs = 60_000;

/** The position of the newest event. */
export async function newestPosition(api: ApiClient): Promise<number> {
  return (await api.get<EventPage>('/events', { after: 'now' })).next;
}

/**
 * Hands on events after a position, oldest first, as they happen, until the signal. Rejects if the API refuses, or can't
 * be reached for a minute; `onProblem` is told when that begins.
 */
export async function followEvents(
  api: ApiClient,
  after: number,
  onEvent: (event: FederationEvent) => void,
  signal: AbortSignal,
  onProblem: (sentence: string) => void,
): Promise<void> {
  let position = after;
  let awaySince: number | null = null;
  while (!signal.aborted) {
    try {
      const page = await api.get<EventPage>('/events', { after: position });
      awaySince = null;
      position = page.next;
      page.items.forEach(onEvent);
      if (page.items.length > 0) continue;
    } catch (error) {
      if (!mayPass(error)) throw error;
      if (awaySince === null) onProblem(`${(error as Error).message} Trying again for a minute.`);
      awaySince ??= performance.now();
      if (performance.now() - awaySince > patienceMs) throw error;
    }
    await pause(pollMs, undefined, { signal }).catch(() => {});
  }
}

function mayPass(error: unknown): boolean {
  if (error instanceof ApiError) return error.status >= 500;
  return error instanceof KeyferryError && error.code === 'api_unavailable';
}
