import { createPublicKey, generateKeyPairSync, randomUUID } from 'node:crypto';
import { type Identity, type IdentityOptions, newClientSecret, type Permission } from './identities.ts';
import { signJwt } from './jwt.ts';
import type { AzureState } from './state.ts';

/** Tokens of an issuer that an application trusts, such as a cluster. */
export interface FederatedIssuer {
  token(options?: { subject?: string; audience?: string; expiresInSeconds?: number }): string;
}

/** The directory's identities, for tests. */
export class Applications {
  readonly #state: AzureState;

  constructor(state: AzureState) {
    this.#state = state;
  }

  /** An application that may do everything unless told otherwise, and has nothing to log in with yet. Tells its client id. */
  register(options: IdentityOptions = {}): string {
    return this.#state.register(options).clientId;
  }

  /** An identity that a machine has. `byDefault`: the one that it uses where none is named. */
  registerManaged(options: IdentityOptions & { byDefault?: boolean } = {}): {
    clientId: string;
    objectId: string;
    resourceId: string;
  } {
    const identity = this.#state.register(options);
    const place = `/subscriptions/${randomUUID()}/resourcegroups/emulated/providers/Microsoft.ManagedIdentity`;
    const resourceId = `${place}/userAssignedIdentities/${identity.clientId}`;
    identity.managed = { resourceId, byDefault: options.byDefault ?? false };
    return { clientId: identity.clientId, objectId: identity.objectId, resourceId };
  }

  /** A new client secret. */
  addSecret(clientId: string, options: { expiresAt?: Date } = {}): string {
    const value = newClientSecret();
    this.#identity(clientId).clientSecrets.push({ value, expiresAt: options.expiresAt?.getTime() ?? null });
    return value;
  }

  removeSecrets(clientId: string): void {
    this.#identity(clientId).clientSecrets = [];
  }

  /** Lets the key of this certificate speak for the application. */
  addCertificate(clientId: string, pem: string): void {
    this.#identity(clientId).certificates.push(pem);
  }

  /** Lets tokens of an issuer speak for the application. */
  federate(clientId: string, { issuer, subject }: { issuer: string; subject: string }): FederatedIssuer {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }).toString();
    this.#identity(clientId).federated.push({ issuer, subject, publicKey });
    return {
      token: (options = {}) => {
        const now = Math.floor(this.#state.now() / 1000);
        const aud = [options.audience ?? 'api://AzureADTokenExchange'];
        const claims = { iss: issuer, sub: options.subject ?? subject, aud, iat: now, nbf: now };
        return signJwt({ kid: 'cluster' }, { ...claims, exp: now + (options.expiresInSeconds ?? 3600) }, privateKey);
      },
    };
  }

  /** Takes a permission away, altogether or for one secret. */
  forbid(clientId: string, permission: Permission, secret?: string): void {
    this.#identity(clientId).forbidden.push({ permission, ...(secret !== undefined && { secret }) });
  }

  #identity(clientId: string): Identity {
    const identity = this.#state.identities.get(clientId);
    if (identity === undefined) throw new Error(`no identity ${clientId}`);
    return identity;
  }
}
