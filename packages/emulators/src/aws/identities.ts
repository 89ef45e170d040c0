import { randomBytes, randomInt } from 'node:crypto';
import { Policy, type Statement } from './policy.ts';
import { Refusal } from './refusal.ts';

/** Who asks. */
export interface Principal {
  account: string;
  arn: string;
  userId: string;
  /** The user or role whose policies hold, by its ARN. */
  owner: string;
  /** Whether it is the session of a role: further ones last an hour at most. */
  session: boolean;
}

export interface AccessKey {
  accessKeyId: string;
  secretAccessKey: string;
  /** Of temporary keys. */
  sessionToken: string | null;
  /** Milliseconds since the epoch; null for keys that last. */
  expiresAt: number | null;
  principal: Principal;
}

/** Who may take on a role. */
export interface Trust {
  /** ARNs of users and roles, numbers of accounts, or `*`. */
  principals?: readonly string[];
  externalId?: string;
  /** Tokens of an identity provider: its issuer, and the claims it must have. */
  webIdentity?: { issuer: string; audience?: string; subject?: string };
}

export interface Role {
  account: string;
  name: string;
  arn: string;
  id: string;
  trust: Trust;
  /** The longest session. */
  maxSessionSeconds: number;
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** An identifier as Amazon makes them, such as `AKIA` and sixteen characters. */
function newId(prefix: string): string {
  return prefix + Array.from({ length: 16 }, () => alphabet[randomInt(alphabet.length)]).join('');
}

const newSecret = () => randomBytes(30).toString('base64');

/** Users, roles, their policies and keys, of all accounts. */
export class Identities {
  readonly policies = new Map<string, Policy>();
  readonly roles = new Map<string, Role>();
  readonly keys = new Map<string, AccessKey>();

  /** A user, unless it is there, and a key of its own. */
  createKey(account: string, user: string, statements?: readonly Statement[]): AccessKey {
    const arn = `arn:aws:iam::${account}:user/${user}`;
    if (statements !== undefined) this.policies.set(arn, new Policy(statements));
    const principal = { account, arn, userId: newId('AIDA'), owner: arn, session: false };
    return this.#add(newId('AKIA'), principal, null);
  }

  createRole(
    role: Pick<Role, 'account' | 'name' | 'trust'> & { maxSessionSeconds?: number },
    statements: readonly Statement[],
  ): Role {
    const arn = `arn:aws:iam::${role.account}:role/${role.name}`;
    const created = { maxSessionSeconds: 3600, ...role, arn, id: newId('AROA') };
    this.roles.set(arn, created);
    this.policies.set(arn, new Policy(statements));
    return created;
  }

  /** Temporary keys of a role. */
  createSession(role: Role, name: string, expiresAt: number): AccessKey {
    const plainName = role.name.slice(role.name.lastIndexOf('/') + 1);
    const principal = {
      account: role.account,
      arn: `arn:aws:sts::${role.account}:assumed-role/${plainName}/${name}`,
      userId: `${role.id}:${name}`,
      owner: role.arn,
      session: true,
    };
    return this.#add(newId('ASIA'), principal, expiresAt);
  }

  /** Makes every temporary key unknown. */
  revokeSessions(): void {
    for (const key of this.keys.values()) if (key.sessionToken !== null) this.keys.delete(key.accessKeyId);
  }

  /** The key, if it is known and its session token the right one. Whether it has expired is for `refuseExpired`. */
  find(accessKeyId: string, sessionToken: string | undefined): AccessKey {
    const key = this.keys.get(accessKeyId);
    if (key === undefined || (key.sessionToken ?? undefined) !== sessionToken)
      throw new Refusal('UnrecognizedClientException', 'The security token included in the request is invalid.');
    return key;
  }

  decide(principal: Principal, action: string, resource: string) {
    return this.policies.get(principal.owner)?.decide(action, resource) ?? 'not allowed';
  }

  #add(accessKeyId: string, principal: Principal, expiresAt: number | null): AccessKey {
    const sessionToken = expiresAt === null ? null : randomBytes(120).toString('base64');
    const key = { accessKeyId, secretAccessKey: newSecret(), sessionToken, expiresAt, principal };
    this.keys.set(accessKeyId, key);
    return key;
  }
}

/** Told of once the signature is proven, as the real service does. */
export function refuseExpired(key: AccessKey, now: number): void {
  if (key.expiresAt !== null && now >= key.expiresAt)
    throw new Refusal('ExpiredTokenException', 'The security token included in the request is expired');
}
