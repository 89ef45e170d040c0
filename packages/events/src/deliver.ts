import { setTimeout as wait } from 'node:timers/promises';
import { openChannel } from '@keyferry/contracts';
import { type DeliveryFailure, deliveryDeadlineMs, describeError, KeyferryError } from '@keyferry/core';
import type { EgressClient } from '@keyferry/egress';
import {
  audit,
  type ClaimedNotice,
  channelBinding,
  claimNotices,
  type Keyring,
  keptPath,
  noteDelivered,
  noteFailed,
  readKept,
  type Store,
  tenantsWithDueNotices,
} from '@keyferry/store';
import type { Log } from '@keyferry/telemetry';
import { send } from './channels/send.ts';
import { noticeMessage } from './message.ts';

export interface DeliveryServices {
  store: Store;
  keyring: Keyring;
  egress: EgressClient;
  log: Log;
  now: () => Date;
  /** From 0 to 1, for jitter. */
  random?: () => number;
  /** Milliseconds that a receiver may take. */
  deadlineMs?: number;
}

/** Sends notices, each at least once under one id. Any number of these may run. */
export interface Deliverer {
  /** Claims what is due and begins to send it, without waiting for its end. Returns how many were begun. */
  begin(): Promise<number>;
  /** Resolves once nothing is under way. */
  settled(): Promise<void>;
  /** Begins what is due, and what is due next as places get free, until there is nothing to begin. */
  run(): Promise<void>;
  /** Begins nothing any more, and resolves once nothing is under way. */
  stop(): Promise<void>;
}

const mostAtATime = 8;
/** Longer than a receiver may take, and the note of it. What a process that died had claimed is sent again after this. */
const claimMs = 60_000;
/** How long the end of a message is waited for at most, before others are begun. */
const pauseMs = 1_000;

export function createDeliverer(services: DeliveryServices): Deliverer {
  const { store, log, now } = services;
  /** By channel: one message at a time, so that a slow one takes up one place. */
  const underWay = new Map<string, Promise<void>>();
  let stopped = false;

  function beginOne(notice: ClaimedNotice): void {
    const sending = deliver(services, notice)
      // What was not noted is sent again once its claim is over.
      .catch((error: unknown) => log.warn({ error: error as Error, notice_id: notice.id }, 'a delivery was not noted'))
      .finally(() => underWay.delete(notice.channel_id));
    underWay.set(notice.channel_id, sending);
  }

  async function begin(): Promise<number> {
    let begun = 0;
    if (stopped || underWay.size >= mostAtATime) return begun;
    for (const tenantId of shuffled(await tenantsWithDueNotices(store, now()))) {
      const limit = mostAtATime - underWay.size;
      if (limit <= 0) break;
      const busyChannels = [...underWay.keys()];
      const until = new Date(now().getTime() + claimMs);
      const claim = { now: now(), until, busyChannels, limit };
      const notices = await store.inTenant(tenantId, (tx) => claimNotices(tx, claim));
      notices.forEach(beginOne);
      begun += notices.length;
    }
    return begun;
  }

  async function settled(): Promise<void> {
    while (underWay.size > 0) await Promise.all(underWay.values());
  }

  return {
    begin,
    settled,
    async run() {
      while ((await begin()) > 0) {
        const pause = new AbortController();
        await Promise.race([...underWay.values(), wait(pauseMs, undefined, { signal: pause.signal }).catch(() => {})]);
        pause.abort();
      }
    },
    async stop() {
      stopped = true;
      await settled();
    },
  };
}

async function deliver(services: DeliveryServices, notice: ClaimedNotice): Promise<void> {
  const { store, log, now, random = Math.random } = services;
  const { id, tenant_id, channel_id, attempts } = notice;
  const fields = { notice_id: id, channel_id, attempts };
  const result = await attempt(services, notice);
  await store.inTenant(tenant_id, async (tx) => {
    if ('delivered' in result) {
      await noteDelivered(tx, notice, result.warning, now());
      return;
    }
    const noted = await noteFailed(tx, notice, result, { now: now(), random: random() });
    if (noted !== 'paused') return;
    const details = { channel_id, code: result.code, message: result.message };
    const entry = { actor: 'keyferry', action: 'channel.paused', target: notice.channel_name, details };
    await audit(tx, tenant_id, entry, now());
  });
  if ('delivered' in result) log.debug(fields, 'a notice was delivered');
  else log.warn({ ...fields, code: result.code, reason: result.message }, 'a notice was not delivered');
}

type Result = { delivered: true; warning: string | null } | DeliveryFailure;

async function attempt(services: DeliveryServices, notice: ClaimedNotice): Promise<Result> {
  const { keyring, egress, now, deadlineMs = deliveryDeadlineMs } = services;
  try {
    const keys = await keyring.ofTenant(notice.tenant_id);
    const sealed = { ciphertext: notice.channel_secret, encryptionKeyId: notice.channel_secret_key_id };
    const secret = await keys.unseal(sealed, channelBinding(notice.tenant_id, notice.channel_id));
    const channel = openChannel.parse({
      ...notice.channel_config,
      ...(await withKept(services, notice, JSON.parse(secret.toString('utf8')))),
      kind: notice.channel_kind,
      name: notice.channel_name,
    });
    const context = { egress, now, signal: AbortSignal.timeout(deadlineMs) };
    return { delivered: true, warning: await send(channel, noticeMessage(notice), context) };
  } catch (error) {
    const { code, message } = describeError(error);
    const known = error instanceof KeyferryError ? error : null;
    return { code, message, retryAfterMs: known?.retryAfterMs, gone: known?.details?.status === 410 };
  }
}

/** A channel's secret with what is kept in keys: of now, not of when the channel was made. */
async function withKept(
  { store, keyring, now }: DeliveryServices,
  { tenant_id }: ClaimedNotice,
  secret: Record<string, unknown>,
): Promise<Record<string, unknown>> {
  if (Object.values(secret).every((member) => keptPath(member) === null)) return secret;
  const keys = await keyring.ofTenant(tenant_id);
  return await store.inTenant(tenant_id, (tx) => readKept(tx, secret, keys, now()));
}

/** So that where there is too much for all, it isn't always the same tenants who wait. */
function shuffled<Item>(items: readonly Item[]): Item[] {
  return items
    .map((item) => ({ item, place: Math.random() }))
    .sort((one, other) => one.place - other.place)
    .map(({ item }) => item);
}
