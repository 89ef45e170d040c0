import { digestOfToken, findToken, type Store, type TokenRow, tokenOwner } from '@keyferry/store';
import type { Directory } from './directory.ts';
import type { Authenticator } from './identity.ts';
import { keepAtMost } from './kept.ts';
import { identityOf, ifServed } from './known-identity.ts';
import type { TokenUse } from './token-use.ts';

interface TokenServices {
  store: Store;
  directory: Directory;
  uses: TokenUse;
  now: () => Date;
}

type FoundToken = Pick<TokenRow, 'id' | 'tenant_id' | 'identity_id' | 'expires_at' | 'revoked_at'> & {
  revision: number;
};

const mostTokens = 20_000;

/** Knows bearer tokens that were made by Keyferry. */
export function tokenAuthenticator({ store, directory, uses, now }: TokenServices): Authenticator {
  const kept = keepAtMost<FoundToken>(mostTokens);

  /** What is kept of a token is right while nothing has changed in its tenant. */
  async function find(digest: Buffer): Promise<FoundToken | null> {
    const key = digest.toString('base64');
    const known = kept.get(key);
    if (known && (await directory.accessOf(known.tenant_id))?.revision === known.revision) return known;
    const owner = known ? { tenantId: known.tenant_id, tokenId: known.id } : await tokenOwner(store, digest);
    const found = owner && (await store.inTenant(owner.tenantId, (tx) => findToken(tx, owner.tokenId)));
    if (found) kept.set(key, found);
    return found;
  }

  return {
    async identify(credential) {
      const digest = digestOfToken(credential);
      const token = digest && (await find(digest));
      if (!token) return null;
      const access = await directory.accessOf(token.tenant_id, token.revision);
      const at = now();
      const over = token.revoked_at !== null || (token.expires_at !== null && token.expires_at <= at);
      const known = access?.identities.get(token.identity_id);
      if (over || !access || !known || known.state !== 'active') return null;
      const identity = ifServed(access, identityOf(access, known));
      if (identity) uses.note(token.tenant_id, token.id, at);
      return identity;
    },
  };
}
