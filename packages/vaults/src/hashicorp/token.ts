import type { ConnectContext } from '../contract.ts';
import type { VaultClient } from './client.ts';
import { dataOf } from './errors.ts';
import { type Lease, leaseOf } from './login.ts';

/** How long closing may wait for the vault to revoke. */
const revokeMs = 3_000;

/** What is left of a token's lease, by its own word. Rejects with `forbidden` if it may not look at itself. */
export async function lookUp(
  token: string,
  client: VaultClient,
  context: ConnectContext,
  signal: AbortSignal,
): Promise<Lease> {
  const what = 'look up the token';
  return context.call('login', signal, async (attempt) => {
    const answer = await client.send({ path: 'auth/token/lookup-self', token, what, signal: attempt });
    const { ttl, renewable } = dataOf(answer, what, context.now());
    return { token, seconds: Number(ttl) > 0 ? Number(ttl) : null, renewable: renewable === true };
  });
}

export async function renew(
  token: string,
  client: VaultClient,
  context: ConnectContext,
  signal: AbortSignal,
): Promise<Lease> {
  const what = 'renew the token';
  return context.call('login', signal, async (attempt) => {
    const path = 'auth/token/renew-self';
    const answer = await client.send({ method: 'POST', path, json: {}, token, what, signal: attempt });
    const lease = leaseOf(answer, what, context.now());
    // Nothing left means that it has reached its maximum, where a login's nothing means for ever.
    return { ...lease, token, seconds: lease.seconds ?? 0 };
  });
}

/** Best effort: what can't be revoked ends with its lease. */
export async function revoke(token: string, client: VaultClient, context: ConnectContext): Promise<void> {
  const request = { method: 'POST', path: 'auth/token/revoke-self', what: 'revoke the token', token } as const;
  await context
    .call('login', AbortSignal.timeout(revokeMs), (signal) => client.send({ ...request, signal }))
    .catch(() => {});
}
