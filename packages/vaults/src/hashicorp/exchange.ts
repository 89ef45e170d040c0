import type { ConnectContext } from '../contract.ts';
import { createClient } from './client.ts';
import type { HashicorpConfig } from './config.ts';
import { type Answer, dataOf, refused } from './errors.ts';

const what = 'unwrap wrapped_secret_id';

/** Puts the secret_id in the place of its wrapping token. All other credentials last. */
export async function exchangeSecretId(
  config: HashicorpConfig,
  context: ConnectContext,
  signal: AbortSignal,
): Promise<Record<string, unknown>> {
  if (config.auth.method !== 'approle' || config.auth.wrapped_secret_id === undefined) return {};
  // In the header alone: in the body as well it would be spent without an answer.
  const request = { method: 'POST', path: 'sys/wrapping/unwrap', token: config.auth.wrapped_secret_id, what } as const;
  const client = await createClient(config, context.egress);
  try {
    const secretId = await context.call('login', signal, async (attempt) =>
      secretIdOf(await client.send({ ...request, signal: attempt }), context.now()),
    );
    return { secret_id: secretId, wrapped_secret_id: null };
  } finally {
    await client.close();
  }
}

function secretIdOf(answer: Answer, now: number): string {
  if (answer.status === 400 || answer.status === 403)
    throw refused(what, 'it was used before or has expired; issue a new one');
  const { secret_id: secretId } = dataOf(answer, what, now);
  if (typeof secretId !== 'string' || secretId === '') throw refused(what, 'what it wraps is not a secret_id');
  return secretId;
}
