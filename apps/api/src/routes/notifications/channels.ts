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
import { tryChannel } from '@keyferry/events';
import { audit, createChannel, getChannel, listChannels, removeChannel, updateChannel } from '@keyferry/store';
import { showChannel } from '../../answers/channel.ts';
import { changedChannel, newChannel, openStored, storedSettings } from '../../channel-settings.ts';
import type { Api, ApiOptions } from '../../create-api.ts';
import { responses } from '../../responses.ts';
import { byIdOrName } from '../parameters.ts';

const tags = ['notifications'];
const failures = ['delivery_refused', 'delivery_unavailable', 'delivery_timeout', 'egress_refused'] as const;

/** Where people are told. */
export function channelRoutes(app: Api, options: ApiOptions): void {
  const { store, keyring, egress, now } = options;

  app.get(
    '/notifications/channels',
    { schema: { tags, summary: 'List the channels', response: responses({ 200: channelList }) } },
    async ({ identity }) => ({ items: (await store.inTenant(identity.tenantId, listChannels)).map(showChannel) }),
  );

  app.post(
    '/notifications/channels',
    {
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
      const created = await store.inTenant(tenantId, async (tx) => {
        const made = await createChannel(tx, { tenantId, kind, settings, keys, now: now() });
        const details = { channel_id: made.id, kind, config: made.config };
        await audit(tx, tenantId, { actor, action: 'channel.created', target: name, details }, now());
        return made;
      });
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
      return await store.inTenant(tenantId, async (tx) => {
        const before = await getChannel(tx, params.id, { lock: true });
        const channel = changedChannel(await openStored(tx, before, keys), body);
        const { name = before.name, state = before.state } = body;
        const settings = { name, state, ...storedSettings(channel, egress.policy) };
        const changed = await updateChannel(tx, { tenantId, id: before.id, settings, keys, now: now() });
        const details = {
          channel_id: before.id,
          changed: Object.keys(body),
          before: before.config,
          after: changed.config,
        };
        await audit(tx, tenantId, { actor, action: 'channel.updated', target: name, details }, now());
        const made = body.new_signing_secret && channel.kind === 'webhook';
        return { ...showChannel(changed), ...(made && { signing_secret: channel.signing_secret }) };
      });
    },
  );

  app.delete(
    '/notifications/channels/:id',
    {
      schema: {
        tags,
        summary: 'Remove a channel that no rule uses; what waits for it is discarded, and stays in the log',
        params: byIdOrName,
        response: responses({ 200: removedByName }, 'channel_not_found', 'channel_in_use'),
      },
    },
    async ({ identity, params }) => {
      const { tenantId, actor } = identity;
      return await store.inTenant(tenantId, async (tx) => {
        const { id, name } = await removeChannel(tx, tenantId, params.id, now());
        await audit(
          tx,
          tenantId,
          { actor, action: 'channel.removed', target: name, details: { channel_id: id } },
          now(),
        );
        return { id, name };
      });
    },
  );

  app.post(
    '/notifications/channels/:id/test',
    {
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
        return { id: found.id, channel: await openStored(tx, found, keys) };
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
