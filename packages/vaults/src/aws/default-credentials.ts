import { classOf, isTransient } from '@keyferry/core';
import { untilAborted } from '../common/until-aborted.ts';
import { ending } from './caller.ts';
import type { Credentials } from './clients.ts';
import { failureOf } from './errors.ts';
import { type LoginParts, refused } from './login.ts';
import { silent } from './transport.ts';

const what = 'find credentials on this machine';

/** How long each place may take that answers over the network. */
const placeMs = 2_000;

/**
 * Whatever the SDK finds where it looks by default: variables, shared files, single sign-on, a process, the container,
 * the instance. Its own requests are not counted one by one, and an abort leaves the last of them to its own end. A new
 * chain each time, since it keeps what it found by the machine's clock.
 */
export async function defaultCredentials(
  { context, transport, region }: LoginParts,
  signal: AbortSignal,
): Promise<Credentials> {
  const { fromNodeProviderChain } = await import('@aws-sdk/credential-providers');
  const { machineHandler: requestHandler } = transport;
  const clientConfig = { region: await region(signal), requestHandler, maxAttempts: 1, logger: silent };
  const chain = fromNodeProviderChain({ clientConfig, maxRetries: 0, timeout: placeMs, logger: silent });
  return context.call('login', signal, async (attempt) => {
    try {
      const { accessKeyId, secretAccessKey, sessionToken, expiration } = await untilAborted(chain(), attempt);
      return {
        accessKeyId,
        secretAccessKey,
        ...(sessionToken !== undefined && { sessionToken }),
        expiresAt: expiration?.getTime() ?? null,
      };
    } catch (error) {
      if (attempt.aborted) throw ending(attempt.reason, what);
      const failure = failureOf(error, what, context.now());
      if (isTransient(classOf(failure))) throw failure;
      throw refused(what, 'the environment, shared files, container and instance have none that can be used');
    }
  });
}
