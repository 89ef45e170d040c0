import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises';
import { createClient } from '@keyferry/client';
import { startSecretsApi } from '../../support/secrets-api.ts';
import { type Figure, median } from '../report.ts';

const secrets = 1_000;
const reads = 1_000_000;
/** Between two turns of the event loop, in which the client hears that nothing changed. */
const atOnce = 10_000;
const rounds = 4;
/** A moment after the client has connected it asks once more for what it read before. */
const settledMs = 2_100;

/** What `resolve` costs where the value is in memory. Each read is awaited, as services do; a round warms up. */
export async function benchClient(log: (line: string) => void): Promise<Figure[]> {
  await using api = await startSecretsApi();
  const paths = Array.from({ length: secrets }, (_, index) => `bench/providers/${index}/key`);
  for (const path of paths) api.secrets.set(path, Buffer.from(`value of ${path}`));
  const references = paths.map((path) => `vault.${path}`);
  const client = createClient({ url: api.url, token: api.token });
  const readAll = () => Promise.all(references.map(client.resolve));
  try {
    await readAll();
    await readAll();
    await wait(settledMs);
    await readAll();
    const requests = api.requests.length;
    const times: number[] = [];
    for (let round = 0; round <= rounds; round++) {
      const microseconds = (await measure(client.resolve, references)) / reads;
      log(`client: ${microseconds.toFixed(3)} µs a read`);
      if (round > 0) times.push(microseconds);
    }
    if (api.requests.length !== requests)
      throw new Error('values were asked for while reads from memory were measured');
    return [{ name: 'client.cached_read', value: median(times), unit: 'µs', bound: 1 }];
  } finally {
    client.close();
  }
}

/** In microseconds, without the turns of the event loop between. */
async function measure(
  resolve: (reference: string) => Promise<string>,
  references: readonly string[],
): Promise<number> {
  let milliseconds = 0;
  for (let done = 0; done < reads; done += atOnce) {
    const begin = performance.now();
    for (let read = 0; read < atOnce; read++) await resolve(references[read % secrets] as string);
    milliseconds += performance.now() - begin;
    await turn();
  }
  return milliseconds * 1_000;
}
