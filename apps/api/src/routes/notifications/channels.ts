import { randomUUID } from 'node:crypto';
import { removeOwned } from '@keyferry/access';
import {
  channelAnswer,
  channelInput,
  channelList,
  channelMade,
  channelPatch,
  channelTested,
  removedByName,
} from '@keyferry/contracts';
import { describeError } from '@keyferry/core';
import { newSigningSecret, tryChannel } from '@keyferry/events';
import {
  audit,
  type Channel,
  type ChannelSettings,
  createChannel,
  getChannel,
  listChannels,
  ownerOf,
  removeChannel,
  type Tx,
  updateChannel,
} from '@keyferry/store';
import { showChannel } from '../../answers/channel.ts';
import { changedChannel, newChannel, openStored, storedSettings } from '../../channel-settings.ts';
import type { Api, ApiOptions } from '../../create-api.ts';
import { keepChangedSecret, keepFirstSecret } from '../../kept-channel-secrets.ts';
import { responses } from '../../responses.ts';
import { byIdOrName } from '../parameters.ts';

const tags = ['notifications'];
const failures = ['delivery_refused', 'delivery_unavailable', 'delivery_timeout', 'egress_refused'] as const;

/** Where people are told. */
export function channelRoutes(app: Api, options: ApiOptions): void {
  const { store, keyring, egress, now } = options;

  app.get(
    '/notifications/channels',
    {
      config: { needs: { scope: 'federation:read' } },
      schema: { tags, summary: 'List the channels', response: responses({ 200: channelList }) },
    },
    async ({ identity }) => ({ items: (await store.inTenant(identity.tenantId, listChannels)).map(showChannel) }),
  );

  app.post(
    '/notifications/channels',
    {
      config: { needs: { scope: 'settings' } },
      schema: {
        tags,
        summary: 'Make a channel; the answer shows the signing secret that Keyferry has made, this once',
        body: channelInput,
        response: responses(
          { 201: channelMade },
          'config_invalid',
          'egress_refused',
          'channel_exists',
          'limit_reached',
        ),
      },
    },
    async ({ identity, body }, reply) => {
      const { tenantId, actor } = identity;
      const { kind, name, state } = body;
      const channel = newChannel(body);
      const settings = { name, state, ...storedSettings(channel, egress.policy) };
      const keys = await keyring.ofTenant(tenantId);
      const first = { tenantId, by: actor, id: randomUUID(), secret: settings.secret };
      const created = await keepFirstSecret(options, first, (secret) =>
        store.inTenant(tenantId, async (tx) => {
          const all = { ...settings, secret };
          const made = await createChannel(tx, { tenantId, id: first.id, kind, settings: all, keys, now: now() });
          const details = { channel_id: made.id, kind, config: made.config };
          await audit(tx, tenantId, { actor, action: 'channel.created', target: name, details }, now());
          return made;
        }),
      );
      const ours = channel.kind === 'webhook' && body.kind === 'webhook' && body.signing_secret === undefined;
      return reply
        .code(201)
        .header('location', `/v1/notifications/channels/${created.id}`)
        .send({ ...showChannel(created), ...(ours && { signing_secret: channel.signing_secret }) });
    },
  );

  app.get(
    '/notifications/channels/:id',
    {
      config: { needs: { scope: 'federation:read' } },
      schema: {
        tags,
        summary: 'Show a channel',
        params: byIdOrName,
        response: responses({ 200: channelAnswer }, 'channel_not_found'),
      },
    },
    async ({ identity, params }) =>
      showChannel(await store.inTenant(identity.tenantId, (tx) => getChannel(tx, params.id))),
  );

  app.patch(
    '/notifications/channels/:id',
    {
      config: { needs: { scope: 'settings' } },
      schema: {
        tags,
        summary: 'Change a channel; what waits for it is sent at once',
        params: byIdOrName,
        body: channelPatch,
        response: responses(
          { 200: channelMade },
          'channel_not_found',
          'channel_exists',
          'config_invalid',
          'egress_refused',
        ),
      },
    },
    async ({ identity, params, body }) => {
      const { tenantId, actor } = identity;
      const keys = await keyring.ofTenant(tenantId);
      // What Keyferry makes is made once.
      const patch = { ...body, ...(body.new_signing_secret && { signing_secret: newSigningSecret() }) };
      const channelOf = async (tx: Tx, found: Channel) =>
        changedChannel(await openStored(tx, found, keys, now()), patch);
      const secretOf = async (tx: Tx, found: Channel) =>
        storedSettings(await channelOf(tx, found), egress.policy).secret;
      const change = (keep: (secret: ChannelSettings['secret']) => ChannelSettings['secret']) =>
        store.inTenant(tenantId, async (tx) => {
          const before = await getChannel(tx, params.id, { lock: true });
          const { config, secret } = storedSettings(await channelOf(tx, before), egress.policy);
          const { name = before.name, state = before.state } = body;
          const settings = { name, state, config, secret: keep(secret) };
          const changed = await updateChannel(tx, { tenantId, id: before.id, settings, keys, now: now() });
          const details = {
            channel_id: before.id,
            changed: Object.keys(body),
            before: before.config,
            after: changed.config,
          };
          await audit(tx, tenantId, { actor, action: 'channel.updated', target: name, details }, now());
          return changed;
        });
      const changed = await keepChangedSecret(options, { tenantId, by: actor, channel: params.id }, secretOf, change);
      const made = body.new_signing_secret && changed.kind === 'webhook';
      return { ...showChannel(changed), ...(made && { signing_secret: String(patch.signing_secret) }) };
    },
  );

  app.delete(
    '/notifications/channels/:id',
    {
      config: { needs: { scope: 'settings' } },
      schema: {
        tags,
        summary: 'Remove a channel that no rule uses; what waits for it is discarded, and stays in the log',
        params: byIdOrName,
        response: responses({ 200: removedByName }, 'channel_not_found', 'channel_in_use'),
      },
    },
    async ({ identity, params }) => {
      const { tenantId, actor } = identity;
      const removed = await store.inTenant(tenantId, async (tx) => {
        const { id, name } = await removeChannel(tx, tenantId, params.id, now());
        await audit(
          tx,
          tenantId,
          { actor, action: 'channel.removed', target: name, details: { channel_id: id } },
          now(),
        );
        return { id, name };
      });
      const owner = ownerOf({ kind: 'channel', id: removed.id });
      await removeOwned(options, { tenantId, owner, isKept: () => false, by: actor });
      return removed;
    },
  );

  app.post(
    '/notifications/channels/:id/test',
    {
      config: { needs: { scope: 'settings' } },
      schema: {
        tags,
        summary: 'Send a test message now, and tell what came of it; also to a paused channel',
        params: byIdOrName,
        response: responses({ 200: channelTested }, 'channel_not_found', ...failures),
      },
    },
    async ({ identity, params }) => {
      const { tenantId, actor } = identity;
      const keys = await keyring.ofTenant(tenantId);
      const { id, channel } = await store.inTenant(tenantId, async (tx) => {
        const found = await getChannel(tx, params.id);
        return { id: found.id, channel: await openStored(tx, found, keys, now()) };
      });
      const note = (outcome: string) =>
        store.inTenant(tenantId, (tx) => {
          const details = { channel_id: id, outcome };
          return audit(tx, tenantId, { actor, action: 'channel.tested', target: channel.name, details }, now());
        });
      try {
        const { warning, durationMs } = await tryChannel(channel, { egress, now });
        await note('delivered');
        return { delivered: true as const, duration_ms: durationMs, warning };
      } catch (error) {
        await note(describeError(error).code);
        throw error;
      }
    },
  );
}
