import { randomUUID } from 'node:crypto';
import { createDatabase } from '@keyferry/testing/support/database.ts';
import { asAdmin } from '@keyferry/testing/support/test-postgres.ts';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  type Anchor,
  anchorAudit,
  audit,
  createAuditWriter,
  defaultTenantId,
  listAudit,
  openStore,
  pruneAudit,
  type RequestEntry,
  readAudit,
  requestContext,
  type Store,
  sealAudit,
  setAuditRetention,
  verifyAudit,
} from '../src/index.ts';

let database: Awaited<ReturnType<typeof createDatabase>>;
let store: Store;
/** Each test has a tenant, and with that a log, of its own. */
let tenantId: string;
const start = Date.parse('2026-11-01T00:00:00Z');

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

const entry = (index: number, more: Partial<RequestEntry> = {}): RequestEntry => ({
  at: new Date(start + index),
  actor: 'ann',
  action: 'secret.read',
  target: `team/key-${index}`,
  outcome: 'read',
  requestId: randomUUID(),
  address: '192.0.2.1',
  ...more,
});
const entries = (from: number, count: number) => Array.from({ length: count }, (_, index) => entry(from + index));
const write = (rows: readonly RequestEntry[]) => createAuditWriter(store).write(tenantId, rows);
const seal = () => store.inTenant(tenantId, (tx) => sealAudit(tx, tenantId, new Date()));
const list = (filter = {}, limit = 100) => store.inTenant(tenantId, (tx) => listAudit(tx, filter, { limit }));

async function verify(anchors: readonly Anchor[] = []) {
  const verification = verifyAudit(store, tenantId, anchors);
  for (;;) {
    const { done, value } = await verification.next();
    if (done) return value;
  }
}

/** Three sealed batches of four rows. */
async function threeBatches(): Promise<number[]> {
  for (let batch = 0; batch < 3; batch++) await write(entries(batch * 4, 4));
  await seal();
  const rows = await owner('SELECT id FROM keyferry.audit_batches WHERE tenant_id = $1 ORDER BY id', [tenantId]);
  return rows.map(({ id }) => Number(id));
}

describe('rows', () => {
  test('of a request are committed as they were told, in one batch and in their order', async () => {
    const told = [
      entry(1, { target: 'a "quoted" \\ {path}, NULL' }),
      entry(2, { target: 'NULL', actor: 'é\n,"', details: { code: 'key_not_found', odd: '"\\' }, outcome: 'failed' }),
      entry(1, { target: '' }),
    ];
    await write(told);
    const rows = await store.inTenant(tenantId, (tx) => readAudit(tx, {}, { limit: 10 }));
    expect(
      rows.map(({ target, actor, place, outcome, details, at }) => [target, actor, place, outcome, details, at]),
    ).toEqual(
      told.map(({ target, actor, outcome, details = {}, at }, index) => [
        target,
        actor,
        index + 1,
        outcome,
        details,
        at,
      ]),
    );
    expect(new Set(rows.map(({ batch }) => batch)).size).toBe(1);
    expect(rows.map(({ request_id }) => request_id)).toEqual(told.map(({ requestId }) => requestId));
  });

  test('of an act carry the request and the address that it came of, without being told', async () => {
    const context = { requestId: randomUUID(), address: '192.0.2.7' };
    const act = { actor: 'ann', action: 'rule.created', target: 'r' };
    await requestContext.run(context, () =>
      store.inTenant(tenantId, (tx) => audit(tx, tenantId, act, new Date(start))),
    );
    expect(await list()).toMatchObject([
      { ...act, outcome: 'done', request_id: context.requestId, address: context.address },
    ]);
  });

  test('that wait while a group is committed make the next one', async () => {
    const writer = createAuditWriter(store);
    const writing = Array.from({ length: 200 }, (_, index) => writer.write(tenantId, [entry(index)]));
    await Promise.all(writing);
    const rows = await list({}, 500);
    expect(rows).toHaveLength(200);
    expect(new Set(rows.map(({ target }) => target)).size).toBe(200);
    expect(new Set(rows.map(({ batch }) => batch)).size).toBeLessThan(10);
  });

  test('are refused where they can’t be committed, each with the same error', async () => {
    const gone = openStore({ connectionString: 'postgres://nobody@127.0.0.1:1/none' });
    const writer = createAuditWriter(gone);
    const told = await Promise.allSettled([writer.write(tenantId, [entry(1)]), writer.write(tenantId, [entry(2)])]);
    for (const one of told) expect(one).toMatchObject({ reason: { code: 'audit_unavailable' } });
    await gone.close();
  });

  test('of another tenant are neither seen nor written', async () => {
    await write(entries(0, 2));
    const foreign = await store.inTenant(defaultTenantId, (tx) => listAudit(tx, {}, { limit: 10 }));
    expect(foreign.filter(({ target }) => target.startsWith('team/'))).toEqual([]);
    const batch = (await list())[0]?.batch;
    const written = store.inTenant(defaultTenantId, (tx) =>
      sql`INSERT INTO audit_log (tenant_id, batch, place, at, outcome, actor, action, target)
        VALUES (${tenantId}, ${batch}, 9, now(), 'done', 'x', 'x', 'x')`.execute(tx),
    );
    await expect(written).rejects.toThrow(/row-level security/);
  });

  test('are found by who, what, path, outcome, time and request, a page at a time', async () => {
    await write([
      entry(1),
      entry(2, { actor: 'bob', target: 'other/key' }),
      entry(3, { outcome: 'failed', details: { code: 'key_not_found' } }),
      entry(4, { action: 'secrets.listed', target: 'team/' }),
    ]);
    await write([entry(5)]);
    const targets = async (filter: object) => (await list(filter)).map(({ target }) => target);
    expect(await targets({})).toEqual(['team/key-5', 'team/', 'team/key-3', 'other/key', 'team/key-1']);
    expect(await targets({ actor: 'bob' })).toEqual(['other/key']);
    expect(await targets({ action: 'secrets.listed' })).toEqual(['team/']);
    expect(await targets({ target: 'team/key-1' })).toEqual(['team/key-1']);
    expect(await targets({ prefix: 'team/key' })).toEqual(['team/key-5', 'team/key-3', 'team/key-1']);
    expect(await targets({ outcome: 'failed' })).toEqual(['team/key-3']);
    expect(await targets({ since: new Date(start + 3), until: new Date(start + 5) })).toEqual(['team/', 'team/key-3']);
    const [third] = await list({ outcome: 'failed' });
    expect(await targets({ requestId: third?.request_id })).toEqual(['team/key-3']);
    const before = await store.inTenant(tenantId, (tx) =>
      listAudit(tx, {}, { limit: 2, ...(third && { before: third }) }),
    );
    expect(before.map(({ target }) => target)).toEqual(['other/key', 'team/key-1']);
  });
});

describe('the chain', () => {
  test('is whole where nobody touched it, and tells what is not in it yet', async () => {
    await threeBatches();
    await write([entry(100), entry(101)]);
    expect(await verify()).toMatchObject({
      rows: 12,
      batches: 3,
      from: 0,
      head: { number: 3 },
      unsealed: { batches: 1, rows: 2, since: new Date(start + 100) },
      broken: null,
    });
  });

  test('of a log without rows is whole', async () => {
    expect(await verify()).toMatchObject({
      rows: 0,
      head: { number: 0 },
      unsealed: { rows: 0, since: null },
      broken: null,
    });
  });

  test('takes in what was committed late, and what two processes wrote at once', async () => {
    const late = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const act = store.inTenant(tenantId, async (tx) => {
      await audit(tx, tenantId, { actor: 'ann', action: 'late', target: 'x' }, new Date(start));
      begun.resolve();
      await late.promise;
    });
    await begun.promise;
    const writers = [createAuditWriter(store), createAuditWriter(store)];
    await Promise.all(entries(0, 40).map((row, index) => writers[index % 2]?.write(tenantId, [row])));
    await seal();
    late.resolve();
    await act;
    await seal();
    const { rows, broken } = await verify();
    expect({ rows, broken }).toEqual({ rows: 41, broken: null });
    const [last] = await owner(
      `SELECT action FROM keyferry.audit_log l JOIN keyferry.audit_batches b ON b.id = l.batch
       WHERE l.tenant_id = $1 ORDER BY b.number DESC LIMIT 1`,
      [tenantId],
    );
    expect(last).toEqual({ action: 'late' });
  });

  test('is one where several seal at once', async () => {
    for (let batch = 0; batch < 20; batch++) await write([entry(batch)]);
    await Promise.all(Array.from({ length: 8 }, seal));
    await seal();
    const numbers = await owner('SELECT number FROM keyferry.audit_batches WHERE tenant_id = $1 ORDER BY number', [
      tenantId,
    ]);
    expect(numbers.map(({ number }) => Number(number))).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
    expect(await verify()).toMatchObject({ rows: 20, broken: null });
  });

  test('loses nothing where sealing is cut short', async () => {
    await write(entries(0, 3));
    const cut = store.inTenant(tenantId, async (tx) => {
      await sealAudit(tx, tenantId, new Date());
      throw new Error('cut');
    });
    await expect(cut).rejects.toThrow('cut');
    expect(await verify()).toMatchObject({ rows: 0, unsealed: { rows: 3 }, broken: null });
    await seal();
    expect(await verify()).toMatchObject({ rows: 3, unsealed: { rows: 0 }, broken: null });
  });

  test('can’t be changed by the application', async () => {
    await threeBatches();
    const tried = [
      'UPDATE audit_log SET actor = actor',
      'DELETE FROM audit_log',
      'DELETE FROM audit_batches',
      'UPDATE audit_batches SET rows = rows',
      'UPDATE audit_chains SET pruned_number = 1',
    ];
    for (const statement of tried) {
      const attempt = store.inTenant(tenantId, (tx) => sql.raw(statement).execute(tx));
      await expect(attempt, statement).rejects.toThrow(/permission denied/);
    }
    const sealedAgain = await store.inTenant(tenantId, (tx) => sql`UPDATE audit_batches SET hash = digest`.execute(tx));
    expect(Number(sealedAgain.numAffectedRows)).toBe(0);
    expect(await verify()).toMatchObject({ rows: 12, broken: null });
  });
});

describe('what the owner of the database did is found:', () => {
  const log = 'keyferry.audit_log';
  const batches = 'keyferry.audit_batches';
  const columns: [string, string][] = [
    ['at', "at + interval '1 millisecond'"],
    ['actor', "'bob'"],
    ['action', "'secrets.listed'"],
    ['target', "'team/other'"],
    ['outcome', "'refused'"],
    ['request_id', 'NULL'],
    ['address', "'192.0.2.2'"],
    ['details', `'{"code":"x"}'`],
  ];

  test.each(columns)('another %s of a row', async (column, value) => {
    const [, second = 0] = await threeBatches();
    await owner(`UPDATE ${log} SET ${column} = ${value} WHERE batch = $1 AND place = 3`, [second]);
    expect(await verify()).toMatchObject({
      rows: 4,
      broken: { number: 2, batch: second, reason: expect.stringContaining('altered') },
    });
  });

  test('a row that is missing', async () => {
    const [, second = 0] = await threeBatches();
    await owner(`DELETE FROM ${log} WHERE batch = $1 AND place = 2`, [second]);
    expect(await verify()).toMatchObject({ broken: { number: 2, place: 2, reason: 'rows are missing' } });
  });

  test('a row that was added, in a batch, in one that is not there, or in no time', async () => {
    const [, second = 0] = await threeBatches();
    const add = (batch: number, place: number) =>
      owner(
        `INSERT INTO ${log} (tenant_id, batch, place, at, outcome, actor, action, target)
         VALUES ($1, $2, $3, 'infinity', 'done', 'x', 'x', 'x')`,
        [tenantId, batch, place],
      );
    await add(second, 5);
    expect(await verify()).toMatchObject({ broken: { number: 2, place: 5, reason: 'rows were added' } });
    await owner(`DELETE FROM ${log} WHERE batch = $1 AND place = 5`, [second]);
    await add(2 ** 40, 1);
    expect(await verify()).toMatchObject({ rows: 12, broken: { batch: 2 ** 40, place: 1 } });
    await owner(`DELETE FROM ${log} WHERE batch = $1`, [2 ** 40]);
    expect(await verify()).toMatchObject({ broken: null });
  });

  test('two rows that changed places', async () => {
    const [first = 0] = await threeBatches();
    await owner(`UPDATE ${log} SET place = -place WHERE batch = $1 AND place IN (1, 2)`, [first]);
    await owner(`UPDATE ${log} SET place = 3 + place WHERE batch = $1 AND place < 0`, [first]);
    expect(await verify()).toMatchObject({ rows: 0, broken: { number: 1 } });
  });

  test('a row that moved to another batch', async () => {
    const [first = 0, second = 0] = await threeBatches();
    await owner(`UPDATE ${log} SET batch = $2, place = 5 WHERE batch = $1 AND place = 4`, [first, second]);
    expect(await verify()).toMatchObject({ broken: { number: 1, place: 4, reason: 'rows are missing' } });
  });

  test('a batch that is missing with its rows', async () => {
    const [, second] = await threeBatches();
    await owner(`DELETE FROM ${log} WHERE batch = $1`, [second]);
    await owner(`DELETE FROM ${batches} WHERE id = $1`, [second]);
    expect(await verify()).toMatchObject({ rows: 4, broken: { number: 2, reason: 'a batch is missing' } });
  });

  test('two batches that changed places', async () => {
    const [first, second] = await threeBatches();
    await owner(`UPDATE ${batches} SET number = number + 100 WHERE id IN ($1, $2)`, [first, second]);
    await owner(`UPDATE ${batches} SET number = 103 - number WHERE id IN ($1, $2)`, [first, second]);
    expect(await verify()).toMatchObject({ rows: 0, broken: { number: 1 } });
  });

  test('another time of a batch', async () => {
    const [, second] = await threeBatches();
    await owner(`UPDATE ${batches} SET last_at = last_at + interval '1 second' WHERE id = $1`, [second]);
    expect(await verify()).toMatchObject({
      broken: { number: 2, reason: expect.stringContaining('batch was altered') },
    });
  });

  test('a batch with its digest computed anew', async () => {
    const [, second] = await threeBatches();
    await owner(`UPDATE ${log} SET actor = 'bob' WHERE batch = $1`, [second]);
    await owner(
      `UPDATE ${batches} b SET digest = (SELECT sha256(convert_to(string_agg(ROW(a.place, date_part('epoch', a.at), a.outcome,
         a.actor, a.action, a.target, a.request_id, a.address, a.details)::text, E'\\n' ORDER BY a.place), 'UTF8'))
         FROM ${log} a WHERE a.batch = b.id) WHERE id = $1`,
      [second],
    );
    expect(await verify()).toMatchObject({
      broken: { number: 2, reason: expect.stringContaining('batch was altered') },
    });
  });

  test('an end that was cut off', async () => {
    const [, , third] = await threeBatches();
    await owner(`DELETE FROM ${log} WHERE batch = $1`, [third]);
    await owner(`DELETE FROM ${batches} WHERE id = $1`, [third]);
    expect(await verify()).toMatchObject({ rows: 8, broken: { number: 3, reason: expect.stringContaining('end') } });
  });

  test('an end that was cut off and sealed anew, where an anchor tells of it', async () => {
    const [, , third] = await threeBatches();
    const { head } = await verify();
    await owner(`DELETE FROM ${log} WHERE batch = $1`, [third]);
    await owner(`DELETE FROM ${batches} WHERE id = $1`, [third]);
    await owner(
      `UPDATE keyferry.audit_chains c SET head_number = b.number, head_hash = b.hash
       FROM ${batches} b WHERE b.tenant_id = c.tenant_id AND c.tenant_id = $1 AND b.number = 2`,
      [tenantId],
    );
    expect(await verify([head])).toMatchObject({ broken: { number: 3, reason: expect.stringContaining('end') } });
    await write(entries(8, 4));
    await seal();
    expect(await verify()).toMatchObject({ rows: 12, broken: null });
    expect(await verify([head])).toMatchObject({ broken: { number: 3, reason: expect.stringContaining('anchor') } });
  });

  test('a beginning that was cut off as if it was pruned', async () => {
    const [first] = await threeBatches();
    await owner(
      `UPDATE keyferry.audit_chains c SET pruned_number = b.number, pruned_hash = b.hash FROM ${batches} b WHERE b.id = $1
       AND c.tenant_id = b.tenant_id`,
      [first],
    );
    await owner(`DELETE FROM ${log} WHERE batch = $1`, [first]);
    await owner(`DELETE FROM ${batches} WHERE id = $1`, [first]);
    expect(await verify()).toMatchObject({ broken: { number: 2, reason: expect.stringContaining('not by pruning') } });
  });
});

describe('retention', () => {
  const day = 86_400_000;
  const age = (days: number) => entry(Date.now() - start - days * day);

  test('removes whole batches that are old enough, tells it, and the chain verifies on from there', async () => {
    for (const days of [40, 35, 32, 5]) await write([age(days)]);
    await write([age(60)]);
    await seal();
    await store.inTenant(tenantId, (tx) => setAuditRetention(tx, tenantId, 30 * 86_400));
    expect(await pruneAudit(store, tenantId, new Date())).toEqual({ pruned: 3, more: false });
    await seal();
    expect(await pruneAudit(store, tenantId, new Date())).toEqual({ pruned: 0, more: false });
    expect(await list({ action: 'audit.pruned' })).toMatchObject([
      { actor: 'retention', details: { batches: 3, rows: 3, number: 3 } },
    ]);
    expect(await verify()).toMatchObject({ from: 3, rows: 3, head: { number: 6 }, broken: null });
  });

  test('removes nothing that is not sealed', async () => {
    await write([age(400)]);
    expect(await pruneAudit(store, tenantId, new Date())).toMatchObject({ pruned: 0 });
    await seal();
    expect(await pruneAudit(store, tenantId, new Date())).toMatchObject({ pruned: 1 });
    await seal();
    expect(await verify()).toMatchObject({ from: 1, rows: 1, broken: null });
  });
});

describe('anchors', () => {
  const kept: Anchor[] = [];
  const anchor = (now: Date) =>
    store.inTenant(tenantId, (tx) => anchorAudit(tx, tenantId, now, async (head) => void kept.push(head)));

  test('are told once an hour where there is something new, as an event and to whoever keeps them', async () => {
    await threeBatches();
    const now = new Date(start);
    expect(await anchor(now)).toMatchObject({ number: 3 });
    await write([entry(50)]);
    await seal();
    expect(await anchor(new Date(start + 3_599_000))).toBeNull();
    expect(await anchor(new Date(start + 3_600_000))).toMatchObject({ number: 4 });
    expect(await anchor(new Date(start + 9_000_000))).toBeNull();
    const events = await owner(
      'SELECT type, seq, backend_id, data FROM keyferry.outbox WHERE tenant_id = $1 ORDER BY seq',
      [tenantId],
    );
    expect(events).toMatchObject([
      { type: 'audit.anchored', seq: '1', backend_id: null, data: kept[0] },
      { type: 'audit.anchored', seq: '2', backend_id: null, data: kept[1] },
    ]);
    expect(await verify(kept)).toMatchObject({ anchors: 2, broken: null });
  });
});
