import { freePort } from '@keyferry/embedded';
import { type Child, startChild } from './child.ts';
import { choosePort, isFree } from './port.ts';
import type { UpSettings } from './settings.ts';

export interface Processes {
  apiUrl: string;
  /** Rejects when one of them ends by itself. */
  died: Promise<never>;
}

const usualPorts = { api: 8420, scheduler: 8421, worker: 8422 } as const;
const loopback = '127.0.0.1';

/**
 * Starts API, scheduler and worker at the same time, on their usual ports or, where those are taken, on free ones. What was
 * started is left to `cleanup`, which lets all of them drain at the same time.
 */
export async function startProcesses(
  settings: UpSettings,
  logs: string,
  env: NodeJS.ProcessEnv,
  cleanup: AsyncDisposableStack,
  note: (line: string) => void,
): Promise<Processes> {
  const { apiHost } = settings;
  const asked = settings.apiPort === undefined ? undefined : { variable: 'KEYFERRY_API_PORT', text: settings.apiPort };
  const apiPort = await choosePort(apiHost, usualPorts.api, asked);
  const health = (port: number) => ({ KEYFERRY_HEALTH_HOST: loopback, KEYFERRY_HEALTH_PORT: String(port) });
  const withHealth = async (name: 'scheduler' | 'worker') =>
    await startOnPort(loopback, await choosePort(loopback, usualPorts[name]), true, (port) =>
      startChild(name, logs, { ...env, ...health(port) }),
    );
  const results = await Promise.allSettled([
    startOnPort(apiHost, apiPort, asked === undefined, (port) =>
      startChild('api', logs, { ...env, KEYFERRY_API_HOST: apiHost, KEYFERRY_API_PORT: String(port) }),
    ),
    withHealth('scheduler'),
    withHealth('worker'),
  ]);
  const started = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  cleanup.defer(async () => void (await Promise.all(started.map(({ child }) => child.stop()))));
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
  const port = started[0]?.port ?? apiPort;
  if (!asked && port !== usualPorts.api) note(`The port ${usualPorts.api} is taken: the API listens on ${port}.`);
  return { apiUrl: urlOf(apiHost, port), died: Promise.race(started.map(({ child }) => child.died)) };
}

/** Starts a process on a port, or, where `mayMove` and somebody has taken that meanwhile, on another. */
async function startOnPort(
  host: string,
  port: number,
  mayMove: boolean,
  start: (port: number) => Promise<Child>,
): Promise<{ child: Child; port: number }> {
  try {
    return { child: await start(port), port };
  } catch (error) {
    if (!mayMove || (await isFree(host, port))) throw error;
    const another = await freePort();
    return { child: await start(another), port: another };
  }
}

/** How this machine reaches what listens on a host: on every address, also on loopback. */
function urlOf(host: string, port: number): string {
  const reachable = { '0.0.0.0': loopback, '::': '::1' }[host] ?? host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}
