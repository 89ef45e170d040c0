import { hash } from 'node:crypto';
import { claimsMatch, KeyferryError } from '@keyferry/core';
import { defaultTenantId, issuersNamed, type Store, type TokenIssuer } from '@keyferry/store';
import { jwtVerify } from 'jose';
import { type Directory, longestAbsenceMs } from '../directory.ts';
import type { Authenticator, Identity } from '../identity.ts';
import { keepAtMost } from '../kept.ts';
import { identityOf, identityOfClaims, ifServed, type Signed } from '../known-identity.ts';
import type { TenantAccess } from '../tenant-access.ts';
import { within } from '../within.ts';
import { createIssuerKeys, type IssuerKeysOptions } from './issuer-keys.ts';
import { readUnverified, type Unverified } from './read-unverified.ts';

interface JwtServices extends IssuerKeysOptions {
  store: Store;
  directory: Directory;
}

/** How far two clocks may be apart. */
const leewaySeconds = 30;
/** What was found of who takes an issuer's tokens is right for so long. */
const freshMs = 2_000;
/** Whoever asks waits for Postgres no longer. */
const patienceMs = 2_000;
const mostLookups = 5_000;

type Takers = { tenantId: string; issuerId: string }[];

/**
 * Knows tokens that an issuer has signed (RFC 7519): those of an OpenID Connect provider, and those of a Kubernetes
 * cluster's service accounts. Rejects with `issuer_unavailable` where a signature can't be judged.
 */
export function jwtAuthenticator(services: JwtServices): Authenticator {
  const { store, directory, now } = services;
  const keys = createIssuerKeys(services);
  const lookups = keepAtMost<{ at: number; takers: Takers }>(mostLookups);

  async function takersOf({ issuer, audiences }: Unverified, tenant: string | null): Promise<Takers> {
    // What a token names may be long.
    const key = hash('sha256', JSON.stringify([issuer, audiences, tenant]), 'base64');
    const known = lookups.get(key);
    const at = now().getTime();
    const age = known ? Math.abs(at - known.at) : Number.POSITIVE_INFINITY;
    if (known && age <= freshMs) return known.takers;
    try {
      const takers = await within(issuersNamed(store, { issuer, audiences, tenant }), patienceMs);
      if (takers === undefined) throw new KeyferryError('database_unavailable', 'The database did not answer in time.');
      // What nobody takes is not kept: it could be anything.
      if (takers.length > 0) lookups.set(key, { at, takers });
      else lookups.delete(key);
      return takers;
    } catch (error) {
      if (known && age <= longestAbsenceMs) return known.takers;
      throw error;
    }
  }

  /** The token's claims if this issuer has signed them for us and they are valid now; an error where that can't be judged. */
  async function verify(
    token: string,
    unverified: Unverified,
    issuer: TokenIssuer,
  ): Promise<Signed | KeyferryError | null> {
    if (!issuer.algorithms.includes(unverified.algorithm)) return null;
    try {
      const { payload } = await jwtVerify(token, keys.of(issuer), {
        issuer: issuer.issuer,
        audience: issuer.audiences,
        algorithms: issuer.algorithms,
        requiredClaims: ['exp', 'sub'],
        clockTolerance: leewaySeconds,
        currentDate: now(),
      });
      const { sub } = payload;
      return typeof sub === 'string' && sub !== '' ? { issuer, claims: payload, subject: sub } : null;
    } catch (error) {
      if (error instanceof KeyferryError) return error;
      // jose's words, or those of a key that can't be used: a token that isn't proven is nobody's.
      return null;
    }
  }

  return {
    async identify(credential, { tenant }) {
      const unverified = readUnverified(credential);
      if (!unverified) return null;
      const known = await whoIn(tenant, credential, unverified);
      if (known || tenant === null) return known;
      // Whom the named tenant doesn't know may be one of those who name any.
      const own = await whoIn(defaultTenantId, credential, unverified);
      return own?.operator ? own : null;
    },
  };

  /** Who it is in the tenant that takes it. Of two who take it, who asks has to say which is meant. */
  async function whoIn(tenant: string | null, credential: string, unverified: Unverified): Promise<Identity | null> {
    const takers = await takersOf(unverified, tenant);
    const [tenantId, another] = new Set(takers.map((taker) => taker.tenantId));
    if (tenantId === undefined || another !== undefined) return null;
    const access = await directory.accessOf(tenantId);
    if (!access) return null;
    const { identity, error } = await firstWho(access, takers, credential, unverified);
    if (identity) return ifServed(access, identity);
    if (error) throw error;
    return null;
  }

  /** By the first of the tenant's issuers that proves it; and the trouble with those that couldn't be asked. */
  async function firstWho(access: TenantAccess, takers: Takers, credential: string, unverified: Unverified) {
    let error: KeyferryError | null = null;
    for (const { issuerId } of takers) {
      const issuer = access.issuers.get(issuerId);
      if (!issuer) continue;
      const signed = await verify(credential, unverified, issuer);
      if (signed instanceof KeyferryError) error = signed;
      const identity = signed && !(signed instanceof KeyferryError) ? whoIs(access, signed) : null;
      if (identity) return { identity, error };
    }
    return { identity: null, error };
  }
}

/** The first mapping that matches says who it is. */
function whoIs(access: TenantAccess, signed: Signed): Identity | null {
  const { issuer, claims } = signed;
  const mapping = issuer.mappings.find((candidate) => claimsMatch(claims, candidate.claims));
  if (!mapping) return identityOfClaims(access, signed);
  const row = access.identities.get(mapping.identity_id);
  return row?.state === 'active' ? identityOf(access, row, signed) : null;
}
