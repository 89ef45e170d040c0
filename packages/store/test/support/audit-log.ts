import { randomUUID } from 'node:crypto';
import { createDatabase } from '@keyferry/testing/support/database.ts';
import { asAdmin } from '@keyferry/testing/support/test-postgres.ts';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import {
  type Anchor,
  createAuditWriter,
  listAudit,
  openStore,
  type RequestEntry,
  type Store,
  sealAudit,
  type Verified,
  verifyAudit,
} from '../../src/index.ts';

/** Audit logs in a database of the test file's own. */

export const start = Date.parse('2026-11-01T00:00:00Z');

export const entry = (index: number, more: Partial<RequestEntry> = {}): RequestEntry => ({
  at: new Date(start + index),
  actor: 'ann',
  action: 'secret.read',
  target: `team/key-${index}`,
  outcome: 'read',
  requestId: randomUUID(),
  address: '192.0.2.1',
  ...more,
});
export const entries = (from: number, count: number) =>
  Array.from({ length: count }, (_, index) => entry(from + index));

/** Each test has a tenant, and with that a log, of its own. */
export function useAuditLog() {
  let database: Awaited<ReturnType<typeof createDatabase>>;
  let store: Store;
  let tenantId: string;

  beforeAll(async () => {
    database = await createDatabase();
    store = openStore({ connectionString: database.url });
  });
  afterAll(async () => {
    await store.close();
    await database.drop();
  });
  beforeEach(async () => {
    tenantId = randomUUID();
    await owner('INSERT INTO keyferry.tenants (id, name) VALUES ($1, $2)', [tenantId, tenantId]);
  });

  const owner = (text: string, parameters: unknown[] = []): Promise<Record<string, unknown>[]> =>
    asAdmin(database.ownerUrl, async (client) => (await client.query(text, parameters)).rows);
  const write = (rows: readonly RequestEntry[]) => createAuditWriter(store).write(tenantId, rows);
  const seal = () => store.inTenant(tenantId, (tx) => sealAudit(tx, tenantId, new Date()));

  return {
    get store() {
      return store;
    },
    get tenantId() {
      return tenantId;
    },
    owner,
    write,
    seal,
    list: (filter = {}, limit = 100) => store.inTenant(tenantId, (tx) => listAudit(tx, filter, { limit })),
    async verify(anchors: readonly Anchor[] = [], onProgress: () => Promise<void> = async () => {}): Promise<Verified> {
      const verification = verifyAudit(store, tenantId, anchors);
      for (;;) {
        const { done, value } = await verification.next();
        if (done) return value;
        await onProgress();
      }
    },
    /** Three sealed batches of four rows. */
    async threeBatches(): Promise<number[]> {
      for (let batch = 0; batch < 3; batch++) await write(entries(batch * 4, 4));
      await seal();
      const rows = await owner('SELECT id FROM keyferry.audit_batches WHERE tenant_id = $1 ORDER BY id', [tenantId]);
      return rows.map(({ id }) => Number(id));
    },
  };
}
