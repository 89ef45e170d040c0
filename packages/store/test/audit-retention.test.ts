import { describe, expect, test } from 'vitest';
import { type Anchor, anchorAudit, pruneAudit, setAuditRetention } from '../src/index.ts';
import { entry, start, useAuditLog } from './support/audit-log.ts';

/** How long the audit log is kept, and what is told of it outside. */

const log = useAuditLog();
const { owner, write, seal, list, verify, threeBatches } = log;

describe('retention', () => {
  const day = 86_400_000;
  const age = (days: number) => entry(Date.now() - start - days * day);

  test('removes whole batches that are old enough, tells it, and the chain verifies on from there', async () => {
    for (const days of [40, 35, 32, 5]) await write([age(days)]);
    await write([age(60)]);
    await seal();
    await log.store.inTenant(log.tenantId, (tx) => setAuditRetention(tx, log.tenantId, 30 * 86_400));
    expect(await pruneAudit(log.store, log.tenantId, new Date())).toEqual({ pruned: 3, more: false });
    await seal();
    expect(await pruneAudit(log.store, log.tenantId, new Date())).toEqual({ pruned: 0, more: false });
    expect(await list({ action: 'audit.pruned' })).toMatchObject([
      { actor: 'retention', details: { batches: 3, rows: 3, number: 3 } },
    ]);
    expect(await verify()).toMatchObject({ from: 3, rows: 3, head: { number: 6 }, broken: null });
  });

  test('removes nothing that is not sealed', async () => {
    await write([age(400)]);
    expect(await pruneAudit(log.store, log.tenantId, new Date())).toMatchObject({ pruned: 0 });
    await seal();
    expect(await pruneAudit(log.store, log.tenantId, new Date())).toMatchObject({ pruned: 1 });
    await seal();
    expect(await verify()).toMatchObject({ from: 1, rows: 1, broken: null });
  });
});

describe('a verification', () => {
  const yearOld = entry(Date.now() - start - 500 * 86_400_000);

  test('that all it was about to check is pruned meanwhile finds nothing broken', async () => {
    // More than is read at a time.
    for (let batch = 0; batch < 3; batch++) await write(Array.from({ length: 20_000 }, () => yearOld));
    await seal();
    await seal();
    const prune = async () => void (await pruneAudit(log.store, log.tenantId, new Date()));
    expect(await verify([], prune)).toMatchObject({ broken: null });
    await seal();
    expect(await verify()).toMatchObject({ from: 3, rows: 1, broken: null });
  });

  test('compares the anchor of what was pruned last, and counts those that it has compared', async () => {
    await write([yearOld]);
    await seal();
    const { head } = await verify();
    await pruneAudit(log.store, log.tenantId, new Date());
    await seal();
    expect(await verify([head])).toMatchObject({ from: 1, anchors: 1, broken: null });
    expect(await verify([{ ...head, hash: '0'.repeat(64) }])).toMatchObject({ broken: { number: 1 } });
  });
});

describe('anchors', () => {
  const kept: Anchor[] = [];
  const anchor = (now: Date) =>
    log.store.inTenant(log.tenantId, (tx) => anchorAudit(tx, log.tenantId, now, async (head) => void kept.push(head)));

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
      [log.tenantId],
    );
    expect(events).toMatchObject([
      { type: 'audit.anchored', seq: '1', backend_id: null, data: kept[0] },
      { type: 'audit.anchored', seq: '2', backend_id: null, data: kept[1] },
    ]);
    expect(await verify(kept)).toMatchObject({ anchors: 2, broken: null });
  });
});
