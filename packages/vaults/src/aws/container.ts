import { classOf, vaultFailure } from '@keyferry/core';
import { untilAborted } from '../common/until-aborted.ts';
import type { CallOperation } from '../contract.ts';
import type { CredentialsKeeper } from './auth.ts';
import type { Caller } from './caller.ts';
import type { Clients, Credentials } from './clients.ts';
import { malformed } from './errors.ts';
import { partsOfArn } from './name.ts';
import type { Ask } from './session.ts';

/** An account in a region holds secrets, and is always there: all that can be wrong is which one it is. */
export interface Container {
  /** `111122223333/us-east-1`, or null where nothing tells the account. */
  identify(operation: CallOperation, signal: AbortSignal): Promise<string | null>;
  /**
   * Vouches for a "not found", which the wrong account answers as well: it is still the one that was seen first.
   * Rejects with `container_unproven` or `container_mismatch`.
   */
  prove(signal: AbortSignal): Promise<void>;
}

export interface ContainerParts {
  ask: Ask;
  call: Caller;
  clients: Clients;
  keeper: CredentialsKeeper;
  region(signal: AbortSignal): Promise<string>;
  now(): number;
  /** Of the connection: looks belong to it, so that the abort of one who waits does not fail the others. */
  life: AbortSignal;
}

/** An account that nothing has told is asked for again after this. */
const unprovenMs = 60_000;

export function createContainer({ ask, call, clients, keeper, region, now, life }: ContainerParts): Container {
  let first: string | null = null;
  /** Credentials never change their account, so that each are looked at once. */
  const known = new WeakMap<Credentials, { id: Promise<string | null>; until: number }>();

  /** The ARN of any secret tells who holds it: nobody else's are listed. Null if there is none, or none may be seen. */
  async function toldByListing(operation: CallOperation, signal: AbortSignal): Promise<string | null> {
    const { ListSecretsCommand } = await import('@aws-sdk/client-secrets-manager');
    const what = 'list secrets';
    try {
      return await ask(operation, what, signal, async ({ client, options }) => {
        const { SecretList } = await client.send(
          new ListSecretsCommand({ MaxResults: 1, IncludePlannedDeletion: true }),
          options,
        );
        if (!Array.isArray(SecretList)) throw malformed(what);
        const parts = partsOfArn(SecretList[0]?.ARN);
        return parts && `${parts.account}/${parts.region}`;
      });
    } catch (error) {
      if (classOf(error) === 'forbidden') return null;
      throw error;
    }
  }

  /** Who the credentials are; anyone may ask. Where the token service can't be reached, nothing is known. */
  async function toldByTokens(operation: CallOperation, signal: AbortSignal): Promise<string | null> {
    const { GetCallerIdentityCommand } = await import('@aws-sdk/client-sts');
    const place = await region(signal);
    const client = clients.tokenService(await keeper.current(signal), place);
    try {
      return await call(operation, 'find out the account', signal, async (options) => {
        const { Account = '' } = await client.send(new GetCallerIdentityCommand({}), options);
        return /^\d{12}$/.test(Account) ? `${Account}/${place}` : null;
      });
    } catch {
      signal.throwIfAborted();
      return null;
    }
  }

  async function identify(operation: CallOperation, signal: AbortSignal): Promise<string | null> {
    const id = (await toldByListing(operation, signal)) ?? (await toldByTokens(operation, signal));
    first ??= id;
    return id;
  }

  function identityOf(credentials: Credentials): Promise<string | null> {
    const held = known.get(credentials);
    if (held && now() < held.until) return held.id;
    const look = { id: identify('detect', life), until: Number.POSITIVE_INFINITY };
    known.set(credentials, look);
    look.id.then(
      (id) => {
        if (id === null) look.until = now() + unprovenMs;
      },
      () => known.delete(credentials),
    );
    return look.id;
  }

  return {
    identify,
    async prove(signal) {
      const id = await untilAborted(identityOf(await keeper.current(signal)), signal);
      if (id === null)
        throw vaultFailure('invalid', 'Nothing was found, but whose secrets these are can’t be seen.', {
          code: 'container_unproven',
        });
      if (id !== first)
        throw vaultFailure('invalid', `The credentials are now of ${id}, and were of ${first}.`, {
          code: 'container_mismatch',
        });
    },
  };
}
