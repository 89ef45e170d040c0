import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import {
  audit,
  createAuditWriter,
  defaultTenantId,
  listAudit,
  openStore,
  readAudit,
  requestContext,
} from '../src/index.ts';
import { entries, entry, start, useAuditLog } from './support/audit-log.ts';

/** How rows come into the audit log, and are found in it. */

const log = useAuditLog();
const { write, list } = log;

describe('rows', () => {
  test('of a request are committed as they were told, in one batch and in their order', async () => {
    const told = [
      entry(1, { target: 'a "quoted" \\ {path}, NULL' }),
      entry(2, { target: 'NULL', actor: 'é\n,"', details: { code: 'key_not_found', odd: '"\\' }, outcome: 'failed' }),
      entry(1, { target: '' }),
    ];
    await write(told);
    const rows = await log.store.inTenant(log.tenantId, (tx) => readAudit(tx, {}, { limit: 10 }));
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
      log.store.inTenant(log.tenantId, (tx) => audit(tx, log.tenantId, act, new Date(start))),
    );
    expect(await list()).toMatchObject([
      { ...act, outcome: 'done', request_id: context.requestId, address: context.address },
    ]);
  });

  test('that wait while a group is committed make the next one', async () => {
    const writer = createAuditWriter(log.store);
    const writing = Array.from({ length: 200 }, (_, index) => writer.write(log.tenantId, [entry(index)]));
    await Promise.all(writing);
    const rows = await list({}, 500);
    expect(rows).toHaveLength(200);
    expect(new Set(rows.map(({ target }) => target)).size).toBe(200);
    expect(new Set(rows.map(({ batch }) => batch)).size).toBeLessThan(10);
  });

  test('are refused where they can’t be committed, each with the same error', async () => {
    const gone = openStore({ connectionString: 'postgres://nobody@127.0.0.1:1/none' });
    const writer = createAuditWriter(gone);
    const told = await Promise.allSettled([
      writer.write(log.tenantId, [entry(1)]),
      writer.write(log.tenantId, [entry(2)]),
    ]);
    for (const one of told) expect(one).toMatchObject({ reason: { code: 'audit_unavailable' } });
    await gone.close();
  });

  test('of another tenant are neither seen nor written', async () => {
    await write(entries(0, 2));
    const foreign = await log.store.inTenant(defaultTenantId, (tx) => listAudit(tx, {}, { limit: 10 }));
    expect(foreign.filter(({ target }) => target.startsWith('team/'))).toEqual([]);
    const batch = (await list())[0]?.batch;
    const written = log.store.inTenant(defaultTenantId, (tx) =>
      sql`INSERT INTO audit_log (tenant_id, batch, place, at, outcome, actor, action, target)
        VALUES (${log.tenantId}, ${batch}, 9, now(), 'done', 'x', 'x', 'x')`.execute(tx),
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
    const before = await log.store.inTenant(log.tenantId, (tx) =>
      listAudit(tx, {}, { limit: 2, ...(third && { before: third }) }),
    );
    expect(before.map(({ target }) => target)).toEqual(['other/key', 'team/key-1']);
  });
});
