import type { ServerResponse } from 'node:http';
import { defaultTenantId, replayDelivery, replayFailed, updateChannel } from '@keyferry/store';
import { Webhook } from 'standardwebhooks';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { type Office, openOffice } from './support/office.ts';
import { type Receiver, startReceiver } from './support/receiver.ts';

let office: Office;
let backend: string;
let receiver: Receiver;
beforeEach(async () => {
  office = await openOffice();
  backend = await office.addBackend('team');
  receiver = await startReceiver();
});

/** So many notices for a channel that are due now. */
async function due(url = receiver.url, count = 1): Promise<string> {
  const channel = await office.addWebhook(url);
  await office.addRule(channel);
  for (let number = 0; number < count; number++) {
    await office.happen(backend, ['keys.revoked', { cycle_id: null, paths: [`prod/${number}`], actor: 'ann' }]);
    await office.collect();
  }
  return channel.name;
}

const read = <T>(work: Parameters<typeof office.store.inTenant<T>>[1]) => office.store.inTenant(defaultTenantId, work);
const only = async () => {
  const [notice, ...more] = await office.notices();
  expect(more).toEqual([]);
  if (!notice) throw new Error('there is no notice');
  return notice;
};
const secondsUntil = (time: Date | null | undefined) => ((time?.getTime() ?? 0) - office.now().getTime()) / 1000;

describe('a webhook', () => {
  test('gets what happened, signed, under the notice’s id', async () => {
    const secret = `whsec_${Buffer.alloc(32, 5).toString('base64')}`;
    const channel = await office.addChannel({
      kind: 'webhook',
      name: 'ops',
      url: receiver.url,
      signing_secret: secret,
    });
    const rule = await office.addRule(channel, { name: 'revoked' });
    // What a receiver compares with its own clock.
    office.advance((Date.now() - office.now().getTime()) / 1000);
    await office.happen(backend, [
      'keys.revoked',
      { cycle_id: null, paths: ['prod/a'], actor: 'ann', reason: 'leaked' },
    ]);
    await office.collect();
    expect(await office.deliver()).toBe(1);
    const notice = await only();
    const [{ headers, body } = { headers: {}, body: '' }] = receiver.received;
    expect(new Webhook(secret).verify(body, headers as Record<string, string>)).toEqual({
      type: 'keyferry.notice',
      timestamp: notice.ready_at.toISOString(),
      data: {
        id: notice.id,
        rule_id: rule.id,
        rule: 'revoked',
        severity: 'critical',
        backend_id: backend,
        backend: 'team',
        cycle_id: null,
        first_at: office.now().toISOString(),
        last_at: office.now().toISOString(),
        hold_ids: [],
        events: [
          {
            type: 'keys.revoked',
            severity: 'critical',
            events: 1,
            keys: 1,
            paths: ['prod/a'],
            notes: ['By ann: leaked'],
          },
        ],
      },
    });
    expect(headers['webhook-id']).toBe(notice.id);
    expect(notice).toMatchObject({ state: 'delivered', attempts: 1, delivered_at: office.now() });
    expect(await office.channel('ops')).toMatchObject({ last_delivered_at: office.now(), failures: 0 });
  });

  test('that fails is tried again after 5 s, 10 s and so on, each time under the same id, until it succeeds', async () => {
    receiver.answers.push(500, 503, 502);
    const name = await due();
    const waits: number[] = [];
    for (let attempt = 1; attempt <= 3; attempt++) {
      expect(await office.deliver()).toBe(1);
      const { retry_at } = await office.channel(name);
      waits.push(secondsUntil(retry_at));
      office.advance(secondsUntil(retry_at) - 0.001);
      expect(await office.deliver()).toBe(0);
      office.advance(0.001);
    }
    expect(waits).toEqual([5, 10, 20]);
    expect(await only()).toMatchObject({
      state: 'pending',
      last_error_code: 'delivery_unavailable',
      last_error_message: `The channel "${name}" was answered with status 502.`,
    });
    expect(await office.deliver()).toBe(1);
    expect(await only()).toMatchObject({ state: 'delivered', attempts: 4, last_error_code: null });
    expect(new Set(receiver.ids()).size).toBe(1);
  });

  test.each([
    ['90', 90],
    [new Date(Date.UTC(2026, 0, 1, 12, 2, 0)).toUTCString(), 120],
    ['2', 5],
    ['86400', 3600],
    ['nonsense', 5],
  ])('that asks by Retry-After: %s to wait is let alone for %i s', async (retryAfter, seconds) => {
    receiver.answers.push((response) => response.writeHead(429, { 'retry-after': retryAfter }).end());
    const name = await due();
    await office.deliver();
    expect(secondsUntil((await office.channel(name)).retry_at)).toBe(seconds);
    expect(await only()).toMatchObject({ state: 'pending', refusals: 0 });
  });

  test.each([400, 401, 404, 302, 307])(
    'that answers %i five times is not asked a sixth time; the notice is kept',
    async (status) => {
      receiver.answers.push(...Array(6).fill(status));
      const name = await due();
      for (let attempt = 1; attempt <= 5; attempt++) {
        expect(await only()).toMatchObject({ state: 'pending' });
        await office.deliver();
        office.advance(3_600);
      }
      expect(await only()).toMatchObject({
        state: 'failed',
        attempts: 5,
        last_error_code: 'delivery_refused',
        last_error_message: `The channel "${name}" was answered with status ${status}.`,
      });
      expect(await office.deliver()).toBe(0);
    },
  );

  test('that redirects to an address of the link is not followed', async () => {
    receiver.answers.push((response) =>
      response.writeHead(307, { location: 'http://169.254.169.254/latest/meta-data/' }).end(),
    );
    await due();
    await office.deliver();
    expect(await only()).toMatchObject({ last_error_code: 'delivery_refused' });
  });

  test('that is gone is paused, and gets what it missed once it has another address', async () => {
    receiver.answers.push(410);
    const name = await due();
    await office.deliver();
    const { id, state } = await office.channel(name);
    expect(state).toBe('paused');
    expect(await only()).toMatchObject({ state: 'pending' });
    office.advance(10 * 24 * 3600);
    expect(await office.deliver()).toBe(0);
    const keys = await office.services.keyring.ofTenant(defaultTenantId);
    const input = { tenantId: defaultTenantId, id, settings: { state: 'active' as const }, keys, now: office.now() };
    await read((tx) => updateChannel(tx, input));
    expect(await office.deliver()).toBe(1);
    expect(await only()).toMatchObject({ state: 'delivered' });
    const actions = await read((tx) => tx.selectFrom('audit_log').select(['actor', 'action', 'target']).execute());
    expect(actions).toContainEqual({ actor: 'keyferry', action: 'channel.paused', target: name });
  });

  test('that resets the connection, hangs, or isn’t there is tried again later', async () => {
    receiver.answers.push((_, socket) => void socket.resetAndDestroy());
    const name = await due();
    await office.deliver();
    expect(await only()).toMatchObject({ state: 'pending', last_error_code: 'delivery_unavailable' });
    receiver.answers.push(() => {});
    office.advance(3_600);
    await office.deliver(office.deliverer({ deadlineMs: 50 }));
    expect(await only()).toMatchObject({
      state: 'pending',
      last_error_code: 'delivery_timeout',
      last_error_message: `The receiver of the channel "${name}" did not answer in time.`,
    });
  });

  test('on a closed port is named by the code of the system alone', async () => {
    const name = await due('http://127.0.0.1:1/hook/a-token-in-a-path');
    await office.deliver();
    expect((await only()).last_error_message).toBe(
      `The receiver of the channel "${name}" can't be reached, or broke the connection (ECONNREFUSED).`,
    );
  });

  test('that answers without an end has taken the message', async () => {
    receiver.answers.push((response) => {
      response.writeHead(200);
      const flood = () => void (response.destroyed || response.write('x'.repeat(65_536), () => setImmediate(flood)));
      flood();
    });
    await due();
    await office.deliver();
    expect(await only()).toMatchObject({ state: 'delivered' });
  });
});

describe('nothing is lost', () => {
  test('while a channel is down for over three days: what was given up can be replayed', async () => {
    const name = await due(receiver.url, 3);
    receiver.answers.push(...Array(200).fill(503));
    for (let hours = 0; hours <= 73; hours++) {
      await office.deliver();
      office.advance(3_600);
    }
    expect((await office.notices()).map(({ state }) => state)).toEqual(['failed', 'failed', 'failed']);
    expect(receiver.received.length).toBeLessThan(100);

    // What comes later is on its own three days.
    await office.happen(backend, ['keys.revoked', { cycle_id: null, paths: ['prod/late'] }]);
    await office.collect();
    receiver.answers.length = 0;
    receiver.received.length = 0;
    const { id } = await office.channel(name);
    expect(await read((tx) => replayFailed(tx, id, office.now()))).toBe(3);
    expect(await office.deliver()).toBe(4);
    expect(new Set((await office.notices()).map(({ state }) => state))).toEqual(new Set(['delivered']));
    expect(receiver.ids().sort()).toEqual((await office.notices()).map(({ id: each }) => each).sort());
  });

  test('and what waited for a channel that was down is sent as soon as one message has come through', async () => {
    receiver.answers.push(503, 503, 503);
    await due(receiver.url, 5);
    for (let attempt = 0; attempt < 3; attempt++) {
      expect(await office.deliver()).toBe(1);
      office.advance(60);
    }
    expect(await office.deliver()).toBe(5);
  });

  test('a replay of one sends that one, whatever its end was, and of what is not over is refused', async () => {
    await due();
    const { id } = await only();
    await expect(read((tx) => replayDelivery(tx, id, office.now()))).rejects.toMatchObject({
      code: 'delivery_not_over',
    });
    await office.deliver();
    await read((tx) => replayDelivery(tx, id, office.now()));
    expect(await office.deliver()).toBe(1);
    expect(receiver.ids()).toEqual([id, id]);
  });

  test('a process that dies after sending and before noting leads to a second message under the same id', async () => {
    await due();
    const { promise: gone, resolve: die } = Promise.withResolvers<void>();
    const store = {
      ...office.store,
      // The process sends, and then is no more: it writes nothing.
      inTenant: (async (tenantId, work) => {
        if (receiver.received.length === 0) return await office.store.inTenant(tenantId, work);
        die();
        return await new Promise(() => {});
      }) as typeof office.store.inTenant,
    };
    await office.deliverer({ store }).begin();
    await gone;
    expect(await only()).toMatchObject({ state: 'pending', attempts: 1 });
    expect(await office.deliver()).toBe(0);
    office.advance(61);
    expect(await office.deliver()).toBe(1);
    expect(receiver.ids()).toEqual([(await only()).id, (await only()).id]);
    expect(await only()).toMatchObject({ state: 'delivered', attempts: 2 });
  });

  test('a process that was overtaken changes nothing by its failure, and by its success ends the matter', async () => {
    await due();
    const responses: ServerResponse[] = [];
    const hold = (response: ServerResponse) => void responses.push(response);
    receiver.answers.push(hold, hold);
    const deliverers = [office.deliverer(), office.deliverer()];
    for (const [index, deliverer] of deliverers.entries()) {
      await deliverer.begin();
      await vi.waitFor(() => expect(responses).toHaveLength(index + 1));
      office.advance(61);
    }
    office.advance(-61);
    const under = await only();
    responses[0]?.writeHead(500).end();
    await deliverers[0]?.settled();
    // Still claimed by the second one.
    expect(await only()).toEqual(under);
    expect(await office.deliver()).toBe(0);

    office.advance(61);
    receiver.answers.push(500);
    await office.deliver();
    expect(await only()).toMatchObject({ state: 'pending', attempts: 3 });
    responses[1]?.writeHead(204).end();
    await deliverers[1]?.settled();
    expect(await only()).toMatchObject({ state: 'delivered', last_error_code: null });
  });
});

describe('at the same time', () => {
  test('two deliverers send each notice once', async () => {
    await due(receiver.url, 20);
    const both = [office.deliverer(), office.deliverer()];
    await Promise.all(both.map((deliverer) => office.deliver(deliverer)));
    await office.deliver();
    expect(receiver.received).toHaveLength(20);
    expect(new Set(receiver.ids()).size).toBe(20);
  });

  test('a channel that hangs keeps no other waiting, and has one message under way', async () => {
    const hanging = await startReceiver();
    hanging.answers.push(...Array(5).fill(() => {}));
    await due(hanging.url, 3);
    await due(receiver.url, 3);
    const deliverer = office.deliverer();
    await vi.waitFor(async () => {
      await deliverer.begin();
      expect(receiver.received.length).toBeGreaterThanOrEqual(3);
    });
    expect(hanging.received).toHaveLength(1);
  });

  test('what waits for a channel is sent one after the other without a pause, until it is told to stop', async () => {
    await due(receiver.url, 30);
    const deliverer = office.deliverer();
    receiver.answers.push(...Array(9).fill(204), (response: ServerResponse) => {
      void deliverer.stop();
      response.writeHead(204).end();
    });
    await deliverer.run();
    await deliverer.stop();
    expect(receiver.received).toHaveLength(10);
    await office.deliverer().run();
    expect(receiver.received).toHaveLength(30);
  });

  test('at most eight messages are under way, one for each channel', async () => {
    const hanging = await startReceiver();
    hanging.answers.push(...Array(12).fill(() => {}));
    for (let number = 0; number < 12; number++) await due(hanging.url);
    const deliverer = office.deliverer();
    expect(await deliverer.begin()).toBe(8);
    expect(await deliverer.begin()).toBe(0);
  });

  test('a channel that failed is let alone with all that waits for it, while others are sent on', async () => {
    const down = await startReceiver();
    down.answers.push(503);
    await due(down.url, 3);
    expect(await office.deliver()).toBe(1);
    await due();
    // Both rules tell of it.
    expect(await office.deliver()).toBe(1);
    expect([down.received.length, receiver.received.length]).toEqual([1, 1]);
  });

  test('a message that its receiver refuses keeps others of the channel waiting for seconds', async () => {
    await due(receiver.url, 2);
    receiver.answers.push(400);
    await office.deliver();
    office.advance(5);
    expect(await office.deliver()).toBe(2);
  });
});

test('an address that leads to a private network is refused, and so is what a name leads to later', async () => {
  const answers = ['93.184.216.34', '10.0.0.7'];
  office = await openOffice({ allowed: '', resolve: async () => [{ address: answers[0] ?? '', family: 4 }] });
  backend = await office.addBackend('team');
  answers.shift();
  const name = await due('https://rebound.example/hook');
  await office.deliver();
  expect(await only()).toMatchObject({
    last_error_code: 'egress_refused',
    last_error_message: 'Keyferry does not connect to "rebound.example": it has no address that is allowed.',
  });
  expect(await office.channel(name)).toMatchObject({ failures: 1 });
});
