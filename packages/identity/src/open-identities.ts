import type { Store } from '@keyferry/store';
import { createDirectory, type Directory } from './directory.ts';
import type { Authenticator } from './identity.ts';
import { jwtAuthenticator } from './jwt/authenticator.ts';
import type { IssuerKeysOptions } from './jwt/issuer-keys.ts';
import { tokenAuthenticator } from './token-authenticator.ts';
import { followTokenUse, type TokenUse } from './token-use.ts';

export interface Identities {
  directory: Directory;
  /** They know what tenants have made known: tokens, and issuers of signed ones. */
  authenticators: readonly Authenticator[];
  uses: TokenUse;
  close(): Promise<void>;
}

/** Whoever a tenant has made known to this process. */
export function openIdentities(services: IssuerKeysOptions & { store: Store }): Identities {
  const directory = createDirectory(services);
  const uses = followTokenUse(services);
  const known = { ...services, directory, uses };
  return {
    directory,
    uses,
    authenticators: [tokenAuthenticator(known), jwtAuthenticator(known)],
    close: uses.close,
  };
}
