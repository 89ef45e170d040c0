import { type SecretsApi, startSecretsApi } from '@keyferry/testing/support/secrets-api.ts';
import { onTestFinished, vi } from 'vitest';
import { type ClientOptions, createClient, type KeyferryClient, type KeyferryClientError } from '../../src/index.ts';

export interface Site {
  api: SecretsApi;
  client: KeyferryClient;
  /** What `onError` was told. */
  errors: KeyferryClientError[];
  /** Moves the client's clock on. */
  skip(milliseconds: number): void;
  /** How many requests for values there were. */
  reads(): number;
  /** Reads a secret until it is answered from memory: followed, and settled. */
  settle(reference: string): Promise<void>;
}

/** A server with these secrets, and a client of it. */
export async function startSite(
  secrets: Record<string, string> = {},
  options: Partial<ClientOptions> = {},
): Promise<Site> {
  const api = await startSecretsApi();
  for (const [path, value] of Object.entries(secrets)) api.put(path, value);
  const errors: KeyferryClientError[] = [];
  let skipped = 0;
  const client = createClient({
    url: api.url,
    token: api.token,
    environment: {},
    onError: (error) => errors.push(error),
    now: () => performance.now() + skipped,
    ...options,
  });
  onTestFinished(async () => {
    client.close();
    await api[Symbol.asyncDispose]();
  });
  const skip = (milliseconds: number) => {
    skipped += milliseconds;
  };
  const reads = () => api.requests.filter(({ route }) => route === 'POST /v1/secrets/resolve').length;
  return {
    api,
    client,
    errors,
    skip,
    reads,
    async settle(reference) {
      await client.resolve(reference);
      await client.resolve(reference);
      await vi.waitFor(() => api.followers > 0 || Promise.reject(new Error('nobody follows')));
      await vi.waitFor(
        async () => {
          const before = reads();
          await client.resolve(reference);
          if (reads() === before) return;
          // What Keyferry's processes may lag behind each other is over, if it is heard of again until the next time.
          skip(2_100);
          throw new Error('it is still asked for');
        },
        { timeout: 10_000, interval: 100 },
      );
    },
  };
}
