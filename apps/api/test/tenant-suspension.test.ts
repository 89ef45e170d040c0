import { claimDue, reconcile, runJob } from '@keyferry/pipeline';
import { beforeEach, describe, expect, test } from 'vitest';
import { tenantOfEachTest } from './support/tenants.ts';

/** A tenant that rests, and goes on. */

const team = tenantOfEachTest();
let id: string;
beforeEach(() => {
  ({ id } = team);
});

describe('a suspended tenant', () => {
  test('has no cycles claimed and none worked on, and goes on where it was', async () => {
    team.put('openai');
    await team.addBackend();
    await claimDue(team.api.services);
    const open = () =>
      team.api.query(`SELECT id, stage, state, attempts FROM keyferry.cycles WHERE tenant_id = $1`, [id]);
    const before = await open();
    expect(before).toMatchObject([{ stage: 'discover', state: 'open' }]);
    expect((await team.act('suspend')).body).toMatchObject({ state: 'suspended', counts: { open_cycles: 1 } });
    // What was enqueued is left, and not dispatched again meanwhile.
    const job = { tenant_id: id, cycle_id: String(before[0]?.id), stage: 'discover' as const, shard: -1, dispatch: 1 };
    await runJob(team.api.services, job, new AbortController().signal);
    await reconcile(team.api.services, -3_600_000);
    expect(await open()).toEqual(before);
    expect(await dispatchOf(job.cycle_id)).toBe(1);

    expect((await team.act('resume')).body.state).toBe('active');
    await team.api.work(id);
    expect(await open()).toMatchObject([{ id: job.cycle_id, state: 'completed' }]);
    expect((await team.read('openai')).status).toBe(200);
  });

  test('is looked at and set right by operators, who begin nothing for it', async () => {
    await team.addBackend();
    await team.act('suspend');
    expect((await team.asOperator('GET', '/v1/federation/backends')).body.items).toHaveLength(1);
    expect((await team.asOperator('PATCH', '/v1/federation/backends/main', { sync_interval: '1h' })).status).toBe(200);
    for (const path of ['/v1/federation/backends/main/sync', '/v1/federation/failures/replay'])
      expect(await team.asOperator('POST', path, {})).toMatchObject({
        status: 403,
        body: { error: { code: 'tenant_suspended' } },
      });
    expect((await team.act('suspend')).body.error.code).toBe('tenant_outdated');
    await team.act('resume');
    expect((await team.act('resume')).body.error.code).toBe('tenant_outdated');
  });

  test('goes on after a month with the cycle that was open, and with one of what it missed', async () => {
    team.put('openai');
    await team.addBackend('main', { sync_interval: '60s' });
    await claimDue(team.api.services);
    const cycles = () =>
      team.api.query('SELECT state, counts FROM keyferry.cycles WHERE tenant_id = $1 ORDER BY opened_at', [id]);
    await team.act('suspend');
    team.time += 30 * 86_400_000;
    await reconcile(team.api.services, 0);
    await claimDue(team.api.services);
    expect(await cycles()).toMatchObject([{ state: 'open' }]);
    await team.act('resume');
    await team.api.work(id);
    expect(await cycles()).toMatchObject([{ state: 'completed' }]);
    for (let look = 0; look < 4; look++) {
      team.time += 30_000;
      await claimDue(team.api.services);
    }
    await team.api.work(id);
    expect(await cycles()).toMatchObject([{ state: 'completed' }, { state: 'completed', counts: { discovered: 1 } }]);
  });

  test('has as much time as before for what it has to send', async () => {
    await team.addNotice(new Date(team.time + 60_000));
    await team.act('suspend');
    expect(await dueNotices()).not.toContain(id);
    team.time += 3_600_000;
    await team.act('resume');
    expect(await dueNotices()).toContain(id);
    const [notice] = await team.api.query('SELECT give_up_at FROM keyferry.notices WHERE tenant_id = $1', [id]);
    expect(notice?.give_up_at).toEqual(new Date(team.time + 60_000));
  });
});

const dispatchOf = async (cycleId: string) =>
  (await team.api.query('SELECT dispatch FROM keyferry.cycles WHERE id = $1', [cycleId]))[0]?.dispatch;

const dueNotices = async () =>
  (await team.api.query('SELECT keyferry.tenants_with_due_notices($1) AS id', [new Date(team.time)])).map(
    (row) => row.id,
  );
