import { vi } from 'vitest';
import type { AppProcess } from './processes.ts';

/** Where an API listens. It may say that it has started before the line that tells this has come through. */
export const addressOf = (api: AppProcess): Promise<string> =>
  vi.waitFor(() => {
    const whole = api.output().split('\n').slice(0, -1);
    const line = whole.find((candidate) => candidate.includes('"api started"'));
    if (line === undefined) throw new Error('the API has not told its address');
    return JSON.parse(line).address;
  }, 10_000);
