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
  #rotations = 0;

  constructor(state: GcpState, address: { url: string }) {
    this.#state = state;
    this.#address = address;
  }

  /** A service account that may do everything in its project; resolves to its e-mail address. */
  serviceAccount(name: string, projectId: string): string {
    const email = `${name}@${projectId}.iam.gserviceaccount.com`;
    const { accounts, access } = this.#state;
    const keyId = Buffer.from(email).toString('hex').slice(0, 40);
    const key = keyPair(`account ${accounts.size}`);
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

  /** A person who may do everything in the project; gives what gcloud keeps of their login. */
  person(email: string, projectId: string): string {
    const [clientId, clientSecret, token] = ['client', 'client-secret', `refresh-${email}`];
    this.#state.people.set(token, { email, clientId, clientSecret });
    this.grant(email, projectId);
    return JSON.stringify({
      type: 'authorized_user',
      client_id: clientId,
      client_secret: clientSecret,
      refresh_token: token,
      token_uri: `${this.#address.url}/token`,
    });
  }

  /** Gives the account another key: the one it had is no longer good. */
  rotateKey(email: string): void {
    const account = this.account(email);
    this.#rotations += 1;
    account.key = keyPair(`rotated ${this.#rotations}`);
    account.keyId = `${account.keyId.slice(0, 36)}${String(this.#rotations).padStart(4, '0')}`;
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
    const key = keyPair(`issuer ${this.#state.providers.size}`);
    const tokenAudience = `https:${audience}`;
    const trusts = { kind: 'oidc', issuer, tokenAudience, key } as const;
    this.#state.providers.set(audience, { audience, principalPrefix, trusts });
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

  /**
   * A pool that trusts AWS, where this is the only key. Gives the text of its configuration, of the type
   * `external_account`; the holder of the key may do everything in the project.
   */
  awsPool(key: { id: string; secret: string; arn: string }, projectId: string): string {
    const path = 'iam.googleapis.com/projects/510000000001/locations/global/workloadIdentityPools/aws';
    const audience = `//${path}/providers/aws`;
    const principalPrefix = `principal://${path}/subject/`;
    const trusts = { kind: 'aws', keys: new Map([[key.id, key]]) } as const;
    this.#state.providers.set(audience, { audience, principalPrefix, trusts });
    this.grant(principalPrefix + key.arn, projectId);
    return JSON.stringify({
      type: 'external_account',
      audience,
      subject_token_type: 'urn:ietf:params:aws:token-type:aws4_request',
      token_url: `${this.#address.url}/v1/token`,
      credential_source: {
        environment_id: 'aws1',
        region_url: 'http://169.254.169.254/latest/meta-data/placement/availability-zone',
        url: 'http://169.254.169.254/latest/meta-data/iam/security-credentials',
        regional_cred_verification_url:
          'https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15',
      },
    });
  }

  account(email: string): ServiceAccount {
    const account = this.#state.accounts.get(email);
    if (account === undefined) throw new Error(`no account ${email}`);
    return account;
  }
}
