import type { Denial } from './access.ts';
import { signJwt } from './jwt.ts';
import { keyPair, pemOf } from './keys.ts';
import type { GcpState } from './state.ts';
import type { ServiceAccount } from './tokens.ts';

export interface PoolOptions {
  /** The number of the project that the pool is in; it need not be one with secrets. */
  projectNumber?: string;
  issuer?: string;
  /** A service account that principals of the pool may act as. */
  actsAs?: string;
}

export interface Pool {
  audience: string;
  /** The principal of a subject, as access is granted to it. */
  principal(subject: string): string;
  /** A token of the issuer, good for five minutes; claims replace those it would have. */
  subjectToken(subject: string, claims?: Record<string, unknown>): string;
  /** The text of a configuration of the type `external_account`, of which `credential_source` is given. */
  credentials(source: object, more?: Record<string, unknown>): string;
}

/** Accounts and pools of an emulator, changed directly. */
export class Identities {
  readonly #state: GcpState;
  readonly #address: { url: string };

  constructor(state: GcpState, address: { url: string }) {
    this.#state = state;
    this.#address = address;
  }

  /** A service account that may do everything in its project; resolves to its e-mail address. */
  serviceAccount(name: string, projectId: string): string {
    const email = `${name}@${projectId}.iam.gserviceaccount.com`;
    const { accounts, access } = this.#state;
    const keyId = Buffer.from(email).toString('hex').slice(0, 40);
    const key = keyPair(accounts.size);
    accounts.set(email, { email, projectId, keyId, key, disabled: false, actors: new Set() });
    access.grant(email, projectId);
    return email;
  }

  /** The text of the account's key file, as Google gives it, with this emulator as its token endpoint. */
  keyFile(email: string): string {
    const { projectId, keyId, key } = this.account(email);
    return JSON.stringify({
      type: 'service_account',
      project_id: projectId,
      private_key_id: keyId,
      private_key: pemOf(key.privateKey),
      client_email: email,
      client_id: '100000000000000000001',
      auth_uri: 'https://accounts.google.com/o/oauth2/auth',
      token_uri: `${this.#address.url}/token`,
      universe_domain: 'googleapis.com',
    });
  }

  /** Gives the account another key: the one it had is no longer good. */
  rotateKey(email: string): void {
    const account = this.account(email);
    const index = this.#state.accounts.size + 1;
    Object.assign(account, {
      key: keyPair(index),
      keyId: `${account.keyId.slice(0, 36)}${String(index).padStart(4, '0')}`,
    });
  }

  disable(email: string): void {
    this.account(email).disabled = true;
  }

  /** Lets an identity do everything in a project. */
  grant(identity: string, projectId: string): void {
    this.#state.access.grant(identity, projectId);
  }

  /** Keeps an identity from something that it was granted. */
  deny(identity: string, denial: Denial): void {
    this.#state.access.deny(identity, denial);
  }

  /** The account that the metadata server gives tokens of. */
  onMachine(email: string | null): void {
    this.#state.machineAccount = email;
  }

  /** A workload identity pool with one provider, which trusts an issuer of OIDC tokens. */
  pool(name: string, options: PoolOptions = {}): Pool {
    const { projectNumber = '510000000001', issuer = 'https://issuer.example.com', actsAs } = options;
    const path = `iam.googleapis.com/projects/${projectNumber}/locations/global/workloadIdentityPools/${name}`;
    const audience = `//${path}/providers/oidc`;
    const principalPrefix = `principal://${path}/subject/`;
    const key = keyPair(this.#state.accounts.size + this.#state.providers.size + 10);
    const tokenAudience = `https:${audience}`;
    this.#state.providers.set(audience, { audience, principalPrefix, issuer, tokenAudience, key });
    const { url } = this.#address;
    return {
      audience,
      principal: (subject) => principalPrefix + subject,
      subjectToken: (subject, claims = {}) => {
        if (actsAs !== undefined) this.account(actsAs).actors.add(principalPrefix + subject);
        const now = Math.floor(this.#state.clock.now() / 1_000);
        const usual = { iss: issuer, aud: tokenAudience, sub: subject, iat: now, exp: now + 300 };
        return signJwt({ kid: name }, { ...usual, ...claims }, key.privateKey);
      },
      credentials: (source, more = {}) =>
        JSON.stringify({
          type: 'external_account',
          audience,
          subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
          token_url: `${url}/v1/token`,
          credential_source: source,
          ...(actsAs !== undefined && {
            service_account_impersonation_url: `${url}/v1/projects/-/serviceAccounts/${actsAs}:generateAccessToken`,
          }),
          ...more,
        }),
    };
  }

  account(email: string): ServiceAccount {
    const account = this.#state.accounts.get(email);
    if (account === undefined) throw new Error(`no account ${email}`);
    return account;
  }
}
