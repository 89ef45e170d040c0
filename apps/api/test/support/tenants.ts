import { startVaultEmulator, type VaultEmulator } from '@keyferry/emulators';
import type { Authenticator } from '@keyferry/identity';
import { afterAll, beforeAll, beforeEach, expect } from 'vitest';
import { knownIdentity } from './known-identity.ts';
import { type Answer, startTestApi, type TestApi } from './test-api.ts';

/** A tenant of each test's own, with a mount of its own in a vault, and somebody who may do everything in it. */
export class TenantOfTest {
  api!: TestApi;
  vault!: VaultEmulator;
  time = Date.now();
  name!: string;
  id!: string;
  /** The token of who is of it. */
  own!: string;
  readonly #people = new Map<string, Authenticator>();
  readonly people: Authenticator = {
    identify: (credential, asked) => this.#people.get(credential)?.identify(credential, asked) ?? null,
  };

  async begin(name: string): Promise<void> {
    this.name = name;
    this.id = (await this.make(name)).id;
    this.own = `token-of-${name}`;
    this.#people.set(this.own, knownIdentity(this.own, this.id));
    this.vault.mounts.enable(name, { type: 'kv', version: 2 });
  }

  async make(called: string, limits = {}) {
    const { status, body } = await this.api.call('POST', '/v1/tenants', { name: called, ...limits });
    expect(status).toBe(201);
    return body;
  }

  act = (what: string) => this.api.call('POST', `/v1/tenants/${this.name}/${what}`);

  limit = (limits: object) => this.api.call('PATCH', `/v1/tenants/${this.name}`, limits);

  remove = () => this.api.call('DELETE', `/v1/tenants/${this.name}`);

  /** By an operator, who names the tenant. */
  asOperator = (method: 'GET' | 'POST' | 'PATCH', path: string, body?: unknown, named = this.name): Promise<Answer> =>
    this.api.call(method, path, body, undefined, { 'x-keyferry-tenant': named });

  put = (path: string, value = `sk-${path}`) => this.vault.kv(this.name).put(`bifrost/${path}`, { value });

  backend = (called = 'main', more = {}) => ({
    name: called,
    kind: 'hashicorp',
    config: {
      address: this.vault.url,
      mount: this.name,
      allow_http: true,
      auth: { method: 'token', token: this.vault.rootToken },
    },
    ...more,
  });

  addBackend = (called?: string, more?: object) =>
    this.api.call('POST', '/v1/federation/backends', this.backend(called, more), this.own);

  /** Runs a cycle to its end, and returns it. */
  async sync() {
    const { body } = await this.api.call('POST', '/v1/federation/backends/main/sync', undefined, this.own);
    await this.api.work(this.id);
    return (await this.api.call('GET', `/v1/federation/cycles/${body.id}`, undefined, this.own)).body;
  }

  read = (path: string) => this.api.call('GET', `/v1/secrets/bifrost/${path}`, undefined, this.own);

  /** Writes a value as somebody of it does; status and code of the answer. */
  async write(path: string, value = 'sk-written') {
    const { statusCode, payload } = await this.api.app.inject({
      method: 'PUT',
      url: `/v1/secrets/bifrost/${path}`,
      headers: { authorization: `Bearer ${this.own}` },
      payload: { value },
    });
    return [statusCode, JSON.parse(payload).error?.code];
  }

  async withKey(): Promise<void> {
    this.put('openai');
    await this.addBackend();
    await this.sync();
    expect((await this.read('openai')).body.value).toBe('sk-openai');
  }

  /** What a tenant's audit log tells of this one, by an operator. */
  audited = (tenantId: string) =>
    this.api.query(
      `SELECT actor, action, target FROM keyferry.audit_log
       WHERE tenant_id = $1 AND (details ->> 'tenant_id') = $2 ORDER BY batch, place`,
      [tenantId, this.id],
    );

  async addNotice(giveUpAt: Date): Promise<void> {
    const keys = await this.api.services.keyring.ofTenant(this.id);
    await this.api.query(
      `WITH channel AS (INSERT INTO keyferry.channels (id, tenant_id, name, kind, config, secret, secret_key_id, created_at, updated_at)
         VALUES (gen_random_uuid(), $1, 'ops', 'slack', '{}', '', $2, now(), now()) RETURNING id)
       INSERT INTO keyferry.notices (tenant_id, rule_id, rule_name, channel_id, channel_name, group_key, state, message, ready_at,
         next_attempt_at, give_up_at, created_at)
       SELECT $1, gen_random_uuid(), 'rule', id, 'ops', 'x', 'pending', '{}', $3, $3, $4, $3 FROM channel`,
      [this.id, keys.encryptionKeyId, new Date(this.time - 1000), giveUpAt],
    );
  }
}

/** An API whose clock is the tenant's `time`, and a tenant for each test of the file. */
export function tenantOfEachTest(): TenantOfTest {
  const cleanup = new AsyncDisposableStack();
  const tenant = new TenantOfTest();
  let count = 0;
  beforeAll(async () => {
    tenant.vault = await startVaultEmulator();
    cleanup.defer(() => tenant.vault.close());
    tenant.api = await startTestApi({ authenticators: [tenant.people], now: () => new Date(tenant.time) });
    cleanup.defer(() => tenant.api.close());
  });
  afterAll(() => cleanup.disposeAsync());
  beforeEach(() => tenant.begin(`team-${++count}`));
  return tenant;
}
