import { readFile } from 'node:fs/promises';
import autocannon from 'autocannon';

export interface Target {
  url: string;
  headers: Record<string, string>;
  body?: string;
}

export interface Load {
  /** Answers a second. */
  rate: number;
  /** How long each answer took, in milliseconds, the shortest first. */
  latencies: number[];
}

interface Amount {
  connections: number;
  seconds: number;
  /** Requests a second; as many as there can be, if it is left out. */
  rate?: number;
}

/** Asks over connections that are kept alive. Throws where anything but a 200 comes back. */
export async function load(target: Target, { connections, seconds, rate }: Amount): Promise<Load> {
  const { url, headers, body } = target;
  const latencies: number[] = [];
  const result = await new Promise<autocannon.Result>((resolve, reject) => {
    const instance = autocannon(
      {
        url,
        headers,
        connections,
        duration: seconds,
        ...(rate !== undefined && { overallRate: rate }),
        ...(body !== undefined && { method: 'POST', body }),
      },
      (error: unknown, done) => (error ? reject(error) : resolve(done)),
    );
    instance.on('response', (_client, _status, _bytes, milliseconds) => latencies.push(milliseconds));
  });
  const failed = result.non2xx + result.errors + result.timeouts;
  if (failed > 0) throw new Error(`${failed} requests to ${url} failed`);
  return { rate: result.requests.total / result.duration, latencies: latencies.sort((left, right) => left - right) };
}

export const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] as number;

/** What a process has worked so far; as the kernel counts it, in hundredths. */
export async function processorSeconds(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^.*\) /, '').split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
