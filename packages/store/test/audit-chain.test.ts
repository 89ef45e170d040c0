import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { audit, createAuditWriter, sealAudit } from '../src/index.ts';
import { entries, entry, start, useAuditLog } from './support/audit-log.ts';

/** What is sealed stays as it was: nobody but the database’s owner can change it, and what the owner does is found. */

const log = useAuditLog();
const { owner, write, seal, verify, threeBatches } = log;

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
    const act = log.store.inTenant(log.tenantId, async (tx) => {
      await audit(tx, log.tenantId, { actor: 'ann', action: 'late', target: 'x' }, new Date(start));
      begun.resolve();
      await late.promise;
    });
    await begun.promise;
    const writers = [createAuditWriter(log.store), createAuditWriter(log.store)];
    await Promise.all(entries(0, 40).map((row, index) => writers[index % 2]?.write(log.tenantId, [row])));
    await seal();
    late.resolve();
    await act;
    await seal();
    const { rows, broken } = await verify();
    expect({ rows, broken }).toEqual({ rows: 41, broken: null });
    const [last] = await owner(
      `SELECT action FROM keyferry.audit_log l JOIN keyferry.audit_batches b ON b.id = l.batch
       WHERE l.tenant_id = $1 ORDER BY b.number DESC LIMIT 1`,
      [log.tenantId],
    );
    expect(last).toEqual({ action: 'late' });
  });

  test('is one where several seal at once', async () => {
    for (let batch = 0; batch < 20; batch++) await write([entry(batch)]);
    await Promise.all(Array.from({ length: 8 }, seal));
    await seal();
    const numbers = await owner('SELECT number FROM keyferry.audit_batches WHERE tenant_id = $1 ORDER BY number', [
      log.tenantId,
    ]);
    expect(numbers.map(({ number }) => Number(number))).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
    expect(await verify()).toMatchObject({ rows: 20, broken: null });
  });

  test('loses nothing where sealing is cut short', async () => {
    await write(entries(0, 3));
    const cut = log.store.inTenant(log.tenantId, async (tx) => {
      await sealAudit(tx, log.tenantId, new Date());
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
      const attempt = log.store.inTenant(log.tenantId, (tx) => sql.raw(statement).execute(tx));
      await expect(attempt, statement).rejects.toThrow(/permission denied/);
    }
    const sealedAgain = await log.store.inTenant(log.tenantId, (tx) =>
      sql`UPDATE audit_batches SET hash = digest`.execute(tx),
    );
    expect(Number(sealedAgain.numAffectedRows)).toBe(0);
    expect(await verify()).toMatchObject({ rows: 12, broken: null });
  });
});

describe('what the owner of the database did is found:', () => {
  const table = 'keyferry.audit_log';
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
    await owner(`UPDATE ${table} SET ${column} = ${value} WHERE batch = $1 AND place = 3`, [second]);
    expect(await verify()).toMatchObject({
      rows: 4,
      broken: { number: 2, batch: second, reason: expect.stringContaining('altered') },
    });
  });

  test('a row that is missing', async () => {
    const [, second = 0] = await threeBatches();
    await owner(`DELETE FROM ${table} WHERE batch = $1 AND place = 2`, [second]);
    expect(await verify()).toMatchObject({ broken: { number: 2, place: 2, reason: 'rows are missing' } });
  });

  test('a row that was added, in a batch, in one that is not there, or in no time', async () => {
    const [, second = 0] = await threeBatches();
    const add = (batch: number, place: number) =>
      owner(
        `INSERT INTO ${table} (tenant_id, batch, place, at, outcome, actor, action, target)
         VALUES ($1, $2, $3, 'infinity', 'done', 'x', 'x', 'x')`,
        [log.tenantId, batch, place],
      );
    await add(second, 5);
    expect(await verify()).toMatchObject({ broken: { number: 2, place: 5, reason: 'rows were added' } });
    await owner(`DELETE FROM ${table} WHERE batch = $1 AND place = 5`, [second]);
    await add(2 ** 40, 1);
    expect(await verify()).toMatchObject({ rows: 12, broken: { batch: 2 ** 40, place: 1 } });
    await owner(`DELETE FROM ${table} WHERE batch = $1`, [2 ** 40]);
    expect(await verify()).toMatchObject({ broken: null });
  });

  test('two rows that changed places', async () => {
    const [first = 0] = await threeBatches();
    await owner(`UPDATE ${table} SET place = -place WHERE batch = $1 AND place IN (1, 2)`, [first]);
    await owner(`UPDATE ${table} SET place = 3 + place WHERE batch = $1 AND place < 0`, [first]);
    expect(await verify()).toMatchObject({ rows: 0, broken: { number: 1 } });
  });

  test('a row that moved to another batch', async () => {
    const [first = 0, second = 0] = await threeBatches();
    await owner(`UPDATE ${table} SET batch = $2, place = 5 WHERE batch = $1 AND place = 4`, [first, second]);
    expect(await verify()).toMatchObject({ broken: { number: 1, place: 4, reason: 'rows are missing' } });
  });

  test('a batch that is missing with its rows', async () => {
    const [, second] = await threeBatches();
    await owner(`DELETE FROM ${table} WHERE batch = $1`, [second]);
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
    await owner(`UPDATE ${table} SET actor = 'bob' WHERE batch = $1`, [second]);
    await owner(
      `UPDATE ${batches} b SET digest = (SELECT sha256(convert_to(string_agg(ROW(a.place, date_part('epoch', a.at), a.outcome,
         a.actor, a.action, a.target, a.request_id, a.address, a.details)::text, E'\\n' ORDER BY a.place), 'UTF8'))
         FROM ${table} a WHERE a.batch = b.id) WHERE id = $1`,
      [second],
    );
    expect(await verify()).toMatchObject({
      broken: { number: 2, reason: expect.stringContaining('batch was altered') },
    });
  });

  test('an end that was cut off', async () => {
    const [, , third] = await threeBatches();
    await owner(`DELETE FROM ${table} WHERE batch = $1`, [third]);
    await owner(`DELETE FROM ${batches} WHERE id = $1`, [third]);
    expect(await verify()).toMatchObject({ rows: 8, broken: { number: 3, reason: expect.stringContaining('end') } });
  });

  test('an end that was cut off and sealed anew, where an anchor tells of it', async () => {
    const [, , third] = await threeBatches();
    const { head } = await verify();
    await owner(`DELETE FROM ${table} WHERE batch = $1`, [third]);
    await owner(`DELETE FROM ${batches} WHERE id = $1`, [third]);
    await owner(
      `UPDATE keyferry.audit_chains c SET head_number = b.number, head_hash = b.hash
       FROM ${batches} b WHERE b.tenant_id = c.tenant_id AND c.tenant_id = $1 AND b.number = 2`,
      [log.tenantId],
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
    await owner(`DELETE FROM ${table} WHERE batch = $1`, [first]);
    await owner(`DELETE FROM ${batches} WHERE id = $1`, [first]);
    expect(await verify()).toMatchObject({ broken: { number: 2, reason: expect.stringContaining('not by pruning') } });
  });
});
