import { randomBytes } from 'node:crypto';
import type { Answer, Flavour } from './answer.ts';
import type { Clock } from './clock.ts';
import { canonicalJson } from './json.ts';
import type { AccessList } from './policies.ts';
import { formatTime } from './time.ts';

export interface TokenSettings {
  policies: readonly string[];
  /** 0: never expires, which the real server allows to root tokens alone. */
  ttlSeconds?: number;
  renewable?: boolean;
  /** No renewal goes past this many seconds after the token was made; 0: the server's 768 hours. */
  maxTtlSeconds?: number;
  /** 0: any number of requests. */
  numUses?: number;
  namespace?: string;
  type?: 'service' | 'batch';
  displayName?: string;
  /** How it came to be, such as `auth/approle/login`. */
  path?: string;
  metadata?: Record<string, string>;
  id?: string;
}

export interface Token extends Required<Omit<TokenSettings, 'ttlSeconds'>> {
  accessor: string;
  /** Milliseconds since the epoch. */
  issuedAt: number;
  creationTtl: number;
  /** Milliseconds since the epoch, or null for never. */
  expiresAt: number | null;
  usesLeft: number;
}

export const systemMaxTtl = 768 * 3600;

/** Tokens of all namespaces, with what each may do. */
export class TokenStore {
  readonly #tokens = new Map<string, Token>();
  readonly #wrapped = new Map<string, Answer>();
  readonly #lists = new Map<string, { generation: number; list: AccessList }>();
  readonly #clock: Clock;
  readonly #flavour: Flavour;

  constructor(clock: Clock, flavour: Flavour) {
    this.#clock = clock;
    this.#flavour = flavour;
  }

  create(settings: TokenSettings): Token {
    const type = settings.type ?? 'service';
    const ttl = settings.ttlSeconds ?? (settings.policies.includes('root') ? 0 : systemMaxTtl);
    const now = this.#clock.now();
    const numUses = settings.numUses ?? 0;
    const token: Token = {
      id: settings.id ?? this.#newId(type),
      accessor: type === 'batch' ? '' : randomBytes(18).toString('base64url'),
      policies: withDefault(settings.policies),
      renewable: type === 'service' && ttl > 0 && (settings.renewable ?? true),
      maxTtlSeconds: settings.maxTtlSeconds ?? 0,
      numUses,
      usesLeft: numUses,
      namespace: settings.namespace ?? '',
      type,
      displayName: settings.displayName ?? 'token',
      path: settings.path ?? 'auth/token/create',
      metadata: settings.metadata ?? {},
      issuedAt: now,
      creationTtl: ttl,
      expiresAt: ttl === 0 ? null : now + ttl * 1000,
    };
    this.#tokens.set(token.id, token);
    return token;
  }

  /** The living token of this id. */
  lookup(id: string): Token | undefined {
    const token = this.#tokens.get(id);
    if (token === undefined || token.expiresAt === null || token.expiresAt > this.#clock.now()) return token;
    this.revoke(id);
    return undefined;
  }

  revoke(id: string): boolean {
    this.#wrapped.delete(id);
    this.#lists.delete(id);
    return this.#tokens.delete(id);
  }

  /** Revokes what was given for logins. */
  revokeLogins(): void {
    for (const { id, path } of this.#tokens.values()) if (path.endsWith('/login')) this.revoke(id);
  }

  /** Counts one request of a token with limited uses; its last one is still served. */
  use(token: Token): void {
    if (token.numUses === 0) return;
    token.usesLeft -= 1;
    if (token.usesLeft <= 0) this.revoke(token.id);
  }

  /** Extends a token; the answer is capped by its maximum. False if it can't be renewed. */
  renew(token: Token, incrementSeconds: number): boolean {
    if (!token.renewable) return false;
    const latest = token.issuedAt + (token.maxTtlSeconds || systemMaxTtl) * 1000;
    const wanted = this.#clock.now() + (incrementSeconds || token.creationTtl) * 1000;
    token.expiresAt = Math.min(wanted, latest);
    return true;
  }

  ttlSeconds(token: Token): number {
    return token.expiresAt === null ? 0 : Math.max(0, Math.ceil((token.expiresAt - this.#clock.now()) / 1000));
  }

  /** The access list of a token, built once for each state of the policies. */
  accessList(token: Token, generation: number, build: () => AccessList): AccessList {
    const cached = this.#lists.get(token.id);
    if (cached?.generation === generation) return cached.list;
    const list = build();
    this.#lists.set(token.id, { generation, list });
    return list;
  }

  /** Puts an answer behind a token that can be used once. Returns the JSON of `wrap_info`. */
  wrap(answer: Answer, ttlSeconds: number, creationPath: string, namespace: string): { token: string; json: string } {
    const token = this.create({
      policies: [],
      ttlSeconds,
      numUses: 1,
      renewable: false,
      namespace,
      path: creationPath,
    });
    token.policies = ['response-wrapping'];
    this.#wrapped.set(token.id, answer);
    const json = canonicalJson({
      accessor: token.accessor,
      creation_path: creationPath,
      creation_time: formatTime(token.issuedAt),
      token: token.id,
      ttl: ttlSeconds,
    });
    return { token: token.id, json };
  }

  /** What a wrapping token holds, once. */
  unwrap(id: string): Answer | undefined {
    const answer = this.lookup(id) === undefined ? undefined : this.#wrapped.get(id);
    if (answer !== undefined) this.revoke(id);
    return answer;
  }

  isWrapping(id: string): boolean {
    return this.lookup(id) !== undefined && this.#wrapped.has(id);
  }

  /** Living tokens that a restart should keep; wrapped answers are not among them. */
  snapshot(): Token[] {
    return [...this.#tokens.values()].filter((token) => !this.#wrapped.has(token.id));
  }

  restore(tokens: readonly Token[]): void {
    for (const token of tokens) this.#tokens.set(token.id, token);
  }

  #newId(type: 'service' | 'batch'): string {
    const prefix = this.#flavour === 'vault' ? { service: 'hvs.', batch: 'hvb.' } : { service: 's.', batch: 'b.' };
    return prefix[type] + randomBytes(type === 'batch' ? 72 : 18).toString('base64url');
  }
}

function withDefault(policies: readonly string[]): string[] {
  if (policies.includes('root')) return ['root'];
  return [...new Set(['default', ...policies])].sort();
}

/** JSON of the `auth` member that a login, a renewal or a creation answers. */
export function authJson(token: Token, ttlSeconds: number): string {
  return canonicalJson({
    accessor: token.accessor,
    client_token: token.id,
    entity_id: '',
    lease_duration: ttlSeconds,
    metadata: Object.keys(token.metadata).length === 0 ? null : token.metadata,
    mfa_requirement: null,
    num_uses: token.numUses,
    orphan: true,
    policies: token.policies,
    renewable: token.renewable,
    token_policies: token.policies,
    token_type: token.type,
  });
}
