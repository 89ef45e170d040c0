import type { BackendAnswer, BackendList, BackendStatus } from '@keyferry/contracts';
import { parseDuration } from '@keyferry/core';
import type { ApiClient } from '../api/client.ts';
import { createApiClient } from '../api/client.ts';
import { locate } from '../api/locate.ts';
import { route } from '../api/route.ts';
import { plural, relative } from '../output/format.ts';
import { type Finding, look } from './finding.ts';

/** A cycle that is due this long and hasn't begun means that no scheduler or no worker is at it. */
const leastLatenessMs = 60_000;

/** The API, and through it the backends. */
export async function examineApi(env: NodeJS.ProcessEnv): Promise<Finding[]> {
  return await look('api', async () => {
    const api = createApiClient(locate(env));
    const { items } = await api.get<BackendList>('/federation/backends');
    const found: Finding = { name: 'api', result: 'ok', message: `${api.url} answers and takes the token` };
    return [found, ...(await examineBackends(api, items))];
  });
}

async function examineBackends(api: ApiClient, backends: readonly BackendAnswer[]): Promise<Finding[]> {
  const now = new Date();
  const findings = await Promise.all(
    backends.map(async (backend) => {
      const status = await api.get<BackendStatus>(route`/federation/backends/${backend.id}/status`);
      return examineBackend(backend, status, now);
    }),
  );
  const wrong = findings.filter((finding) => finding !== null);
  if (wrong.length > 0) return wrong;
  return [{ name: 'backends', result: 'ok', message: `${plural(backends.length, 'backend')}, none late or failing` }];
}

/** What is wrong with a backend, or null. */
export function examineBackend(backend: BackendAnswer, status: BackendStatus, now: Date): Finding | null {
  const name = 'backends';
  const problem = (message: string, more: Partial<Finding> = {}): Finding => ({
    name,
    result: 'failed',
    message: `${backend.name}: ${message}`,
    ...more,
  });
  if (status.status === 'paused') return null;
  if (status.last_error) {
    const { message, code } = status.last_error;
    return problem(message, { code, action: `See \`keyferry jobs failed --backend ${backend.name}\`.` });
  }
  const lateMs = status.next_sync === null ? 0 : now.getTime() - new Date(status.next_sync).getTime();
  if (lateMs > Math.max(leastLatenessMs, parseDuration(backend.sync_interval) * 1000))
    return problem(`its cycle was due ${relative(status.next_sync, now)} and has not begun.`, {
      action: 'Check that a scheduler and a worker run.',
    });
  if (status.open_hold) {
    const { candidates, keys, id } = status.open_hold;
    return problem(`${candidates} of ${keys} keys would go and wait for a person's word.`, {
      result: 'warning',
      action: `See \`keyferry held list\`, then \`keyferry held approve ${id}\`.`,
    });
  }
  if (status.status === 'degraded')
    return problem('the last cycle completed with issues.', {
      result: 'warning',
      action: `See \`keyferry cycles list --backend ${backend.name}\`.`,
    });
  return null;
}
