import { createHash } from 'node:crypto';
import { defaultSettings } from '@keyferry/testing/support/backend-settings.ts';
import { createDatabase, type TestDatabase } from '@keyferry/testing/support/database.ts';
import { sql } from 'kysely';
import {
  createBackend,
  createChannel,
  createKeyring,
  defaultTenantId,
  type KeyManager,
  loadMasterKey,
  openStore,
  openVersion,
  type RewrapProgress,
  type RewrapSummary,
  readSecrets,
  rewrap,
  type Store,
  type TenantKeys,
  valueBinding,
  writeKeys,
} from '../../src/index.ts';

/** A store of sealed values, and processes that read it: each a keyring of its own. */

export const masterKeyOf = (fill: number) => Buffer.alloc(32, fill).toString('base64');

export const tenantId = defaultTenantId;

export class SealedStore {
  readonly database: TestDatabase;
  readonly store: Store;
  readonly #backendIds = new Map<string, string>();

  constructor(database: TestDatabase) {
    this.database = database;
    this.store = openStore({ connectionString: database.url, maxConnections: 20 });
  }

  static async open(): Promise<SealedStore> {
    return new SealedStore(await createDatabase());
  }

  /** Another process, with these master keys. */
  async process(fill = 1, previous?: number): Promise<KeyManager> {
    const source = { text: masterKeyOf(fill), ...(previous && { previous: { text: masterKeyOf(previous) } }) };
    return createKeyring(this.store, await loadMasterKey(this.store, source));
  }

  /** Adds a backend with credentials, and a channel with a secret. */
  async addSettings(keys: TenantKeys, tenant = tenantId): Promise<{ backendId: string; channelId: string }> {
    const now = new Date();
    const settings = defaultSettings({ name: 'main', kind: 'hashicorp', config: {}, auth: { token: 'canary-token' } });
    return await this.store.inTenant(tenant, async (tx) => {
      const backend = await createBackend(tx, { tenantId: tenant, settings, keys, now });
      this.#backendIds.set(tenant, backend.id);
      const channel = await createChannel(tx, {
        tenantId: tenant,
        kind: 'webhook',
        settings: { name: 'hook', state: 'active', config: {}, secret: { url: 'https://hooks.example/canary' } },
        keys,
        now,
      });
      return { backendId: backend.id, channelId: channel.id };
    });
  }

  /** Stores a value each at these paths, sealed by the keys' current data key. */
  async put(keys: TenantKeys, paths: readonly string[], tenant = tenantId): Promise<void> {
    await this.store.inTenant(tenant, (tx) =>
      writeKeys(
        tx,
        {
          tenantId: tenant,
          backendId: this.#backendIds.get(tenant) ?? '',
          cycleId: crypto.randomUUID(),
          digestKeyId: keys.digestKeyId,
          encryptionKeyId: keys.encryptionKeyId,
          maxVersions: 10,
          now: new Date(),
        },
        paths.map((path) => writeOf(keys, path, tenant)),
      ),
    );
  }

  /** Reads a value as a process does. */
  async read(process: KeyManager, path: string, tenant = tenantId): Promise<string> {
    const keys = await process.ofTenant(tenant);
    const [stored] = await this.store.inTenant(tenant, (tx) => readSecrets(tx, [path]));
    if (!stored?.version) throw new Error(`nothing is stored at ${path}`);
    return (await openVersion(stored, stored.version, keys)).toString();
  }

  /** Runs to its end. */
  async rewrap(keyring: KeyManager, more: { graceMs?: number; tenantId?: string } = {}): Promise<RewrapSummary> {
    const { summary } = await this.rewrapTold(keyring, more);
    return summary;
  }

  async rewrapTold(keyring: KeyManager, more: { graceMs?: number; tenantId?: string } = {}) {
    const lines: RewrapProgress[] = [];
    const run = this.rewrapping(keyring, more);
    for (;;) {
      const { done, value } = await run.next();
      if (done) return { lines, summary: value };
      lines.push(value);
    }
  }

  rewrapping(keyring: KeyManager, more: { graceMs?: number; tenantId?: string } = {}) {
    const signal = new AbortController().signal;
    return rewrap({
      store: this.store,
      keyring,
      actorIn: () => 'test',
      now: () => new Date(),
      signal,
      graceMs: 0,
      ...more,
    });
  }

  /** Ciphertexts by data key, over all tables. */
  async sealedBy(tenant = tenantId): Promise<Record<string, number>> {
    return await this.store.inTenant(tenant, async (tx) => {
      const { rows } = await sql<{ id: string; count: number }>`
        SELECT id, count(*) FROM (SELECT encryption_key_id FROM key_versions UNION ALL SELECT encryption_key_id FROM backups
          UNION ALL SELECT credentials_key_id FROM backends UNION ALL SELECT secret_key_id FROM channels) AS s (id)
        GROUP BY 1`.execute(tx);
      return Object.fromEntries(rows.map(({ id, count }) => [id, count]));
    });
  }

  async close(): Promise<void> {
    await this.store.close();
    await this.database.drop();
  }
}

function writeOf(keys: TenantKeys, path: string, tenant: string) {
  const id = crypto.randomUUID();
  const value = Buffer.from(`value of ${path}`);
  const digest = createHash('sha256').update(path).digest();
  return {
    id,
    rowVersion: null,
    version: 1,
    remotePath: path,
    localPath: path,
    type: 'api_key' as const,
    state: 'active' as const,
    contentType: 'text/plain',
    metadata: {},
    remoteVersion: '1',
    remoteRevision: '1',
    remoteCreatedAt: null,
    baseDigest: digest,
    localDigest: digest,
    remoteDigest: digest,
    expiresAt: null,
    purgeAt: null,
    expiryReminderAt: null,
    rotationDueAt: null,
    rolledBack: false,
    tombstone: false,
    owned: false,
    ownedFor: null,
    describesValue: true,
    readableUntil: null,
    ciphertext: keys.seal(value, valueBinding(tenant, id, 1)).ciphertext,
    earlier: [],
  };
}
