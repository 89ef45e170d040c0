import {
  deliveriesReplayed,
  deliveryAnswer,
  deliveryDetail,
  deliveryPage,
  deliveryQuery,
  deliveryReplay,
} from '@keyferry/contracts';
import { audit, getChannel, getDelivery, listDeliveries, replayDelivery, replayFailed } from '@keyferry/store';
import { z } from 'zod';
import { showDelivery, showDeliveryDetail } from '../../answers/delivery.ts';
import type { Api, ApiOptions } from '../../create-api.ts';
import { decodeCursor, pageOf } from '../../cursor.ts';
import { responses } from '../../responses.ts';
import { byId } from '../parameters.ts';

const tags = ['notifications'];

const place = z.object({ created_at: z.iso.datetime(), id: z.uuid() });

/** The log of what was told, and is to be. */
export function deliveryRoutes(app: Api, options: ApiOptions): void {
  const { store, now } = options;

  app.get(
    '/notifications/deliveries',
    {
      config: { needs: { scope: 'federation:read' } },
      schema: {
        tags,
        summary: 'List deliveries, newest first',
        querystring: deliveryQuery,
        response: responses({ 200: deliveryPage }, 'channel_not_found'),
      },
    },
    async ({ identity, query }) => {
      const { limit, cursor, state, channel } = query;
      const last = cursor === undefined ? undefined : decodeCursor(cursor, place);
      const after = last && { createdAt: new Date(last.created_at), id: last.id };
      const notices = await store.inTenant(identity.tenantId, async (tx) => {
        const channelId = channel && (await getChannel(tx, channel)).id;
        return await listDeliveries(tx, { state, channelId, after, limit: limit + 1 });
      });
      return pageOf(notices, limit, showDelivery, ({ created_at, id }) => ({
        created_at: created_at.toISOString(),
        id,
      }));
    },
  );

  app.get(
    '/notifications/deliveries/:id',
    {
      config: { needs: { scope: 'federation:read' } },
      schema: {
        tags,
        summary: 'Show a delivery and what it tells',
        params: byId,
        response: responses({ 200: deliveryDetail }, 'delivery_not_found'),
      },
    },
    async ({ identity, params }) =>
      showDeliveryDetail(await store.inTenant(identity.tenantId, (tx) => getDelivery(tx, params.id))),
  );

  app.post(
    '/notifications/deliveries/:id/replay',
    {
      config: { needs: { scope: 'jobs:replay' } },
      schema: {
        tags,
        summary: 'Send a delivery that is over again, under its id',
        params: byId,
        response: responses({ 202: deliveryAnswer }, 'delivery_not_found', 'delivery_not_over', 'channel_not_found'),
      },
    },
    async ({ identity, params }, reply) => {
      const { tenantId, actor } = identity;
      const replayed = await store.inTenant(tenantId, async (tx) => {
        const notice = await replayDelivery(tx, params.id, now());
        const details = { channel_id: notice.channel_id };
        await audit(tx, tenantId, { actor, action: 'delivery.replayed', target: notice.id, details }, now());
        return notice;
      });
      return reply.code(202).send(showDelivery(replayed));
    },
  );

  app.post(
    '/notifications/deliveries/replay',
    {
      config: { needs: { scope: 'jobs:replay' } },
      schema: {
        tags,
        summary: 'Send everything again that failed, on all channels or on one',
        body: deliveryReplay,
        response: responses({ 202: deliveriesReplayed }, 'config_invalid', 'channel_not_found'),
      },
    },
    async ({ identity, body }, reply) => {
      const { tenantId, actor } = identity;
      const replayed = await store.inTenant(tenantId, async (tx) => {
        const channel = body.channel === undefined ? undefined : await getChannel(tx, body.channel);
        const count = await replayFailed(tx, channel?.id, now());
        const details = { replayed: count };
        await audit(
          tx,
          tenantId,
          { actor, action: 'delivery.replayed', target: channel?.name ?? 'failed', details },
          now(),
        );
        return count;
      });
      return reply.code(202).send({ replayed });
    },
  );
}
