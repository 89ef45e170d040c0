import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { type Identity, type IdentityOptions, newIdentity } from './identities.ts';
import type { VaultQuota } from './quota.ts';
import { SecretStore } from './secrets.ts';

let key: KeyObject | null = null;

/** Made once in a process, since that takes long: what keeps vaults apart is whom their tokens are for. */
function ownKey(): KeyObject {
  key ??= generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  return key;
}

/** One vault, and the tenant that it belongs to. */
export class AzureState {
  readonly now: () => number;
  readonly secrets: SecretStore;
  readonly quota: VaultQuota;
  tenantId: string = randomUUID();
  /** What metadata requests of an App Service have to show. */
  identityHeader: string = randomUUID();
  /** By client id. */
  readonly identities = new Map<string, Identity>();
  /** Raised to make every token that was issued before worthless. */
  session = 1;
  signingKey: KeyObject = ownKey();
  /** Seconds for which a token is good. */
  tokenSeconds: number;
  /** What tokens have to be for; null: the address at which the vault was asked. */
  readonly resource: string | null;

  constructor(
    now: () => number,
    quota: VaultQuota,
    options: { settleMs: number; tokenSeconds: number; resource: string | null },
  ) {
    this.now = now;
    this.quota = quota;
    this.secrets = new SecretStore(now, options.settleMs);
    this.tokenSeconds = options.tokenSeconds;
    this.resource = options.resource;
  }

  get verifyingKey(): KeyObject {
    return createPublicKey(this.signingKey);
  }

  register(options: IdentityOptions = {}): Identity {
    const identity = newIdentity(options);
    this.identities.set(identity.clientId, identity);
    return identity;
  }

  /** The key as text, and back. */
  get signingPem(): string {
    return this.signingKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  }

  set signingPem(pem: string) {
    this.signingKey = createPrivateKey(pem);
  }
}
