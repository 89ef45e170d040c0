import { setTimeout as pause } from 'node:timers/promises';
import type { CycleAnswer } from '@keyferry/contracts';
import { KeyferryError } from '@keyferry/core';
import type { ApiClient } from '../api/client.ts';
import { route } from '../api/route.ts';

/** A cycle that doesn't move for so long is left alone: its retries and a large vault's listing take less. */
const stallMs = 10 * 60_000;
const pollMs = 200;

/**
 * Asks for a cycle until it has ended, and shows each answer to `onProgress`. Rejects with `cycle_running` if nothing of
 * it changes for ten minutes, or with the signal's reason.
 */
export async function followCycle(
  api: ApiClient,
  id: string,
  onProgress: (cycle: CycleAnswer) => void,
  signal?: AbortSignal,
): Promise<CycleAnswer> {
  let seen = '';
  let movedAt = performance.now();
  for (;;) {
    const cycle: CycleAnswer = await api.get(route`/federation/cycles/${id}`);
    signal?.throwIfAborted();
    onProgress(cycle);
    if (cycle.state !== 'open') return cycle;
    const now = JSON.stringify(cycle);
    if (now !== seen) movedAt = performance.now();
    seen = now;
    if (performance.now() - movedAt > stallMs)
      throw new KeyferryError(
        'cycle_running',
        `The cycle ${id} has not moved in ${stallMs / 60_000} minutes; it is in its ${cycle.stage} stage.`,
      );
    await pause(pollMs, undefined, signal && { signal });
  }
}
