import { changeMessage } from '@keyferry/contracts';
import { createChangeDesk } from '../change-desk.ts';
import type { Api, RouteOptions } from '../create-api.ts';
import { createFeedPlaces } from '../network/feed-places.ts';
import { responses } from '../responses.ts';

const contentType = 'text/event-stream';

/** What clients that keep values have to forget. */
export function changeRoutes(app: Api, { secrets, told }: RouteOptions): void {
  const desk = createChangeDesk(secrets);
  const places = createFeedPlaces();
  app.addHook('preClose', async () => desk.close());

  app.get(
    '/changes',
    {
      config: { needs: { onEach: 'read' } },
      // A client that only asks for the headers would be followed for ever.
      exposeHeadRoute: false,
      schema: {
        tags: ['secrets'],
        summary: 'Follow what is changed, as server-sent events, by paths and without values',
        description:
          'The data of each event is JSON. What a client keeps may be used for as long as an event came within the last seconds; after a connection that begins with another position than the one before, nothing of what was kept may.',
        response: responses(
          {
            200: { description: 'Server-sent events.', content: { [contentType]: { schema: changeMessage } } },
          },
          'audit_unavailable',
        ),
      },
    },
    async (request, reply) => {
      const { identity } = request;
      const leave = places.take(identity);
      reply.raw.once('close', leave);
      const follow = () =>
        desk.follow({
          tenantId: identity.tenantId,
          mayRead: (path) => request.may('read', path),
          grants: () => request.identity.grants,
          askAgain: () => request.askAgain(),
        });
      const stream = await told.read(request, { action: 'changes.followed', target: 'all' }, follow);
      reply.raw.once('close', () => stream.destroy());
      reply.header('connection', 'close').header('x-accel-buffering', 'no');
      return reply.type(contentType).send(stream as never);
    },
  );
}
