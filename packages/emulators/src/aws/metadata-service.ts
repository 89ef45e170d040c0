import { randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Reply } from '../http/send.ts';
import type { AccessKey, Identities, Role } from './identities.ts';
import { isoSeconds } from './sts.ts';

/** New keys are there so long before the old ones expire. */
const renewalMs = 5 * 60_000;
const lifetimeMs = 6 * 3_600_000;

/** What a virtual machine and a container find out about themselves by HTTP: version 2 of the instance metadata alone. */
export class MetadataService {
  readonly #identities: Identities;
  readonly #now: () => number;
  /** Tokens, with when they end. */
  readonly #tokens = new Map<string, number>();
  readonly #keys = new Map<Role, AccessKey>();
  readonly #region: string;
  /** The role of the machine; null is none. */
  instanceRole: Role | null = null;
  container: { role: Role; authorization: string } | null = null;

  constructor(identities: Identities, region: string, now: () => number) {
    this.#identities = identities;
    this.#region = region;
    this.#now = now;
  }

  /** The answer to a path of one of the two, or null for other paths. */
  answer(method: string, path: string, headers: IncomingHttpHeaders): Reply | null {
    if (path === '/container/credentials') return this.#containerCredentials(headers);
    if (path === '/latest/api/token') return this.#token(method, headers);
    if (!path.startsWith('/latest/')) return null;
    const token = headers['x-aws-ec2-metadata-token'];
    if (typeof token !== 'string' || (this.#tokens.get(token) ?? 0) <= this.#now()) return text(401, '');
    return this.#metadata(path.slice('/latest/meta-data/'.length));
  }

  #token(method: string, headers: IncomingHttpHeaders): Reply {
    if (method !== 'PUT') return text(405, '');
    const seconds = Number(headers['x-aws-ec2-metadata-token-ttl-seconds']);
    if (!(seconds >= 1 && seconds <= 21_600)) return text(400, '');
    const token = randomBytes(42).toString('base64');
    this.#tokens.set(token, this.#now() + seconds * 1000);
    return text(200, token);
  }

  #metadata(path: string): Reply {
    const role = this.instanceRole;
    if (path === 'placement/region') return text(200, this.#region);
    if (role !== null && path === 'iam/security-credentials/') return text(200, role.name);
    if (role !== null && path === `iam/security-credentials/${role.name}`)
      return json(200, { Code: 'Success', Type: 'AWS-HMAC', ...this.#credentials(role, 'i-0123456789abcdef0') });
    return text(404, '');
  }

  #containerCredentials(headers: IncomingHttpHeaders): Reply {
    if (this.container === null) return json(404, { code: 'NotFound', message: 'no credentials here' });
    if (headers.authorization !== this.container.authorization)
      return json(401, { code: 'Unauthorized', message: 'the authorization token is not the right one' });
    return json(200, this.#credentials(this.container.role, 'container'));
  }

  #credentials(role: Role, session: string): object {
    let key = this.#keys.get(role);
    const usable = key !== undefined && this.#identities.keys.has(key.accessKeyId);
    if (key === undefined || !usable || (key.expiresAt ?? 0) - renewalMs <= this.#now())
      key = this.#identities.createSession(role, session, this.#now() + lifetimeMs);
    this.#keys.set(role, key);
    return {
      AccessKeyId: key.accessKeyId,
      SecretAccessKey: key.secretAccessKey,
      Token: key.sessionToken,
      Expiration: isoSeconds(key.expiresAt ?? 0),
    };
  }
}

const text = (status: number, body: string): Reply => ({ status, body, headers: { 'content-type': 'text/plain' } });
const json = (status: number, body: object): Reply => ({
  status,
  body: JSON.stringify(body),
  headers: { 'content-type': 'application/json' },
});
