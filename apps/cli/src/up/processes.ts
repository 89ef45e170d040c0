import { type Child, startChild } from './child.ts';
import { choosePort } from './port.ts';
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
  const { apiHost, apiPort } = settings;
  const asked = apiPort === undefined ? undefined : { variable: 'KEYFERRY_API_PORT', text: apiPort };
  const ports = {
    api: await choosePort(apiHost, usualPorts.api, asked),
    scheduler: await choosePort(loopback, usualPorts.scheduler),
    worker: await choosePort(loopback, usualPorts.worker),
  };
  if (!asked && ports.api !== usualPorts.api)
    note(`The port ${usualPorts.api} is taken: the API listens on ${ports.api}.`);

  const health = (port: number) => ({ KEYFERRY_HEALTH_HOST: loopback, KEYFERRY_HEALTH_PORT: String(port) });
  const starting = await Promise.allSettled([
    startChild('api', logs, { ...env, KEYFERRY_API_HOST: apiHost, KEYFERRY_API_PORT: String(ports.api) }),
    startChild('scheduler', logs, { ...env, ...health(ports.scheduler) }),
    startChild('worker', logs, { ...env, ...health(ports.worker) }),
  ]);
  const children: Child[] = starting.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  cleanup.defer(async () => void (await Promise.all(children.map((child) => child.stop()))));
  const failed = starting.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
  return { apiUrl: urlOf(apiHost, ports.api), died: Promise.race(children.map((child) => child.died)) };
}

/** How this machine reaches what listens on a host: on every address, also on loopback. */
function urlOf(host: string, port: number): string {
  const reachable = { '0.0.0.0': loopback, '::': '::1' }[host] ?? host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}
