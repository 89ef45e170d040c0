import { KeyferryError } from '@keyferry/core';
import type { EgressClient } from '@keyferry/egress';
import type { KeySet, TokenIssuer } from '@keyferry/store';
import type { Log } from '@keyferry/telemetry';
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import { keepAtMost } from '../kept.ts';
import { fetchKeys } from './fetch-keys.ts';

/** The public keys of issuers, kept and followed as they rotate. */
export interface IssuerKeys {
  /** What jose finds a token's key by. It throws `issuer_unavailable` where the key may be one that can't be asked for. */
  of(issuer: TokenIssuer): JWTVerifyGetKey;
}

export interface IssuerKeysOptions {
  egress: EgressClient;
  log: Log;
  now: () => Date;
  /** Milliseconds that an issuer has to answer. */
  deadlineMs?: number | undefined;
}

const usualDeadlineMs = 5_000;
/** An issuer is asked again for a key that it didn't have, at most so often. */
const unknownKeyIntervalMs = 30_000;
/** The same while it has never answered: all of its tokens wait for that. */
const absentIntervalMs = 5_000;
/** After this the keys are asked for anew, so that those which an issuer has withdrawn go. */
const freshMs = 10 * 60_000;
/** Where an issuer doesn't answer, its keys are believed so long. */
const longestAbsenceMs = 24 * 3_600_000;
const mostIssuers = 1_000;

type FindKey = ReturnType<typeof createLocalJWKSet>;

interface Known {
  /** The row that the keys are of. */
  issuer: TokenIssuer;
  find: FindKey | null;
  answeredAt: number;
  askedAt: number;
  /** Whether the issuer didn't answer when it was last asked. */
  failed: boolean;
  asking: Promise<void> | null;
}

export function createIssuerKeys({ egress, log, now, deadlineMs = usualDeadlineMs }: IssuerKeysOptions): IssuerKeys {
  const kept = keepAtMost<Known>(mostIssuers);
  const given = new WeakMap<TokenIssuer, FindKey>();
  const since = (time: number) => Math.abs(now().getTime() - time);

  function known(issuer: TokenIssuer): Known {
    const before = kept.get(issuer.id);
    if (before && asksAlike(before.issuer, issuer)) return before;
    const never = Number.NEGATIVE_INFINITY;
    const entry: Known = { issuer, find: null, answeredAt: never, askedAt: never, failed: false, asking: null };
    kept.set(issuer.id, entry);
    return entry;
  }

  function givenKeys(issuer: TokenIssuer, jwks: KeySet): FindKey {
    const find = given.get(issuer) ?? createLocalJWKSet(jwks as unknown as JSONWebKeySet);
    given.set(issuer, find);
    return find;
  }

  /** Asks once for all who wait. */
  async function ask(issuer: TokenIssuer, entry: Known): Promise<void> {
    entry.asking ??= answer(issuer, entry).finally(() => {
      entry.asking = null;
    });
    await entry.asking;
  }

  async function answer(issuer: TokenIssuer, entry: Known): Promise<void> {
    entry.askedAt = now().getTime();
    try {
      entry.find = createLocalJWKSet((await fetchKeys(egress, issuer, deadlineMs)) as unknown as JSONWebKeySet);
      entry.answeredAt = now().getTime();
      entry.failed = false;
    } catch (error) {
      entry.failed = true;
      const { id, tenant_id } = issuer;
      const reason = error instanceof Error ? error.message : 'unknown';
      log.warn({ issuer_id: id, tenant_id, reason }, 'an issuer of tokens can’t be asked for its keys');
    }
  }

  return {
    of(issuer) {
      if (issuer.jwks) return givenKeys(issuer, issuer.jwks);
      const entry = known(issuer);
      return async (header, token) => {
        const usable = () => (since(entry.answeredAt) <= longestAbsenceMs ? entry.find : null);
        const interval = usable() ? unknownKeyIntervalMs : absentIntervalMs;
        const mayAsk = () => since(entry.askedAt) >= interval;
        if (entry.asking && !usable()) await entry.asking;
        else if (since(entry.answeredAt) > freshMs && mayAsk()) await ask(issuer, entry);
        const found = await findIn(usable(), header, token);
        if (found) return found;
        if (entry.asking || mayAsk()) await ask(issuer, entry);
        const again = await findIn(usable(), header, token);
        if (again) return again;
        if (usable() && !entry.failed) throw new errors.JWKSNoMatchingKey();
        throw new KeyferryError('issuer_unavailable', 'The issuer of the token can’t be asked for its keys.');
      };
    },
  };
}

/** Whether two versions of an issuer's row get their keys in the same way. */
const asksAlike = (one: TokenIssuer, other: TokenIssuer): boolean =>
  one.issuer === other.issuer && one.jwks_url === other.jwks_url && one.ca_cert === other.ca_cert;

async function findIn(
  find: FindKey | null,
  ...token: Parameters<FindKey>
): Promise<Awaited<ReturnType<FindKey>> | null> {
  try {
    return find && (await find(...token));
  } catch (error) {
    if (error instanceof errors.JWKSNoMatchingKey) return null;
    throw error;
  }
}
