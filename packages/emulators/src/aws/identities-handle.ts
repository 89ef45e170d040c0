import type { AccessKey, Identities, Role, Trust } from './identities.ts';
import { Policy, type Statement } from './policy.ts';

export interface RoleOptions {
  statements: readonly Statement[];
  trust: Trust;
  /** The home account by default. */
  account?: string;
  /** An hour by default. */
  maxSessionSeconds?: number;
}

/** Users, roles and keys, changed directly. */
export class IdentitiesHandle {
  readonly #identities: Identities;
  readonly #account: string;
  readonly #now: () => number;

  constructor(identities: Identities, account: string, now: () => number) {
    this.#identities = identities;
    this.#account = account;
    this.#now = now;
  }

  /** A further key of a user, who is made if needed. Statements replace those the user has. */
  createKey(user: string, statements?: readonly Statement[], account = this.#account): AccessKey {
    return this.#identities.createKey(account, user, statements);
  }

  /** Returns the ARN. */
  createRole(name: string, { statements, account = this.#account, ...role }: RoleOptions): string {
    return this.#identities.createRole({ name, account, ...role }, statements).arn;
  }

  /** Temporary keys of a role, for so many seconds. */
  createSession(roleArn: string, expiresInSeconds: number): AccessKey {
    return this.#identities.createSession(this.role(roleArn), 'session', this.#now() + expiresInSeconds * 1000);
  }

  /** What a user or a role may do from now on, by ARN. */
  setPolicy(arn: string, statements: readonly Statement[]): void {
    this.#identities.policies.set(arn, new Policy(statements));
  }

  /** Makes a key unknown. */
  deleteKey(accessKeyId: string): void {
    this.#identities.keys.delete(accessKeyId);
  }

  /** Makes all temporary keys unknown. */
  revokeSessions(): void {
    this.#identities.revokeSessions();
  }

  role(arn: string): Role {
    const found = this.#identities.roles.get(arn);
    if (found === undefined) throw new Error(`no role ${arn}`);
    return found;
  }
}
