import { eventPage, eventQuery, toCloudEvent } from '@keyferry/contracts';
import { lastEventPosition, listEvents } from '@keyferry/store';
import type { Api, ApiOptions } from '../create-api.ts';
import { responses } from '../responses.ts';

const tags = ['events'];

/** Events as they stand in the outbox, for whoever follows them by asking. */
export function eventRoutes(app: Api, { store }: ApiOptions): void {
  app.get(
    '/events',
    {
      config: { needs: { scope: 'federation:read' } },
      schema: {
        tags,
        summary: 'Read events after a position, oldest first',
        querystring: eventQuery,
        response: responses({ 200: eventPage }),
      },
      // The schema tells what there is; one event of an older shape must not end the reading of all that follow.
      serializerCompiler: () => JSON.stringify,
    },
    async ({ identity, query }, reply) =>
      await store.inTenant(identity.tenantId, async (tx) => {
        if (query.after === 'now') return { items: [], next: await lastEventPosition(tx) };
        const events = await listEvents(tx, query.after, query.limit);
        const page = { items: events.map(toCloudEvent), next: events.at(-1)?.position ?? query.after };
        return reply.send(page as never);
      }),
  );
}
