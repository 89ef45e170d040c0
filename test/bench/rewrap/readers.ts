import { setTimeout as pause } from 'node:timers/promises';
import { percentile } from '../reads/load.ts';
import { pathOf } from './sealed-keys.ts';

const loops = 2;
const pauseMs = 4;

export interface Reads {
  count: number;
  failed: number;
  /** In milliseconds. */
  p99: number;
}

/** Reads secrets through the API, any of so many, until it is ended. */
export function startReaders(api: { address: string; token: string }, keys: number) {
  const latencies: number[] = [];
  let failed = 0;
  let ended = false;
  const headers = { authorization: `Bearer ${api.token}` };
  const loop = async () => {
    while (!ended) {
      const startedAt = performance.now();
      const path = pathOf(Math.floor(Math.random() * keys));
      const answer = await fetch(`${api.address}/v1/secrets/${path}`, { headers }).catch(() => null);
      const body = (await answer?.json().catch(() => null)) as { value?: string } | null | undefined;
      if (answer?.status !== 200 || !String(body?.value).startsWith('sk-')) failed++;
      latencies.push(performance.now() - startedAt);
      await pause(pauseMs);
    }
  };
  const running = Array.from({ length: loops }, loop);
  return {
    async end(): Promise<Reads> {
      ended = true;
      await Promise.all(running);
      return {
        count: latencies.length,
        failed,
        p99: percentile(
          latencies.sort((one, other) => one - other),
          0.99,
        ),
      };
    },
  };
}
