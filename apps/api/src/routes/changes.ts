import { randomUUID } from 'node:crypto';
import { changeMessage } from '@keyferry/contracts';
import type { Grants } from '@keyferry/core';
import { createChangeDesk } from '../change-desk.ts';
import type { Api, RouteOptions } from '../create-api.ts';
import { createFeedPlaces } from '../network/feed-places.ts';
import { responses } from '../responses.ts';

const contentType = 'text/event-stream';

/** What clients that keep values have to forget. */
export function changeRoutes(app: Api, { secrets, told, now }: RouteOptions): void {
  const names = new WeakMap<Grants, string>();
  /** Policies are other ones once they were changed, and fewer once one has ended. No two processes have the same. */
  function standingOf(grants: Grants): string {
    const name = names.get(grants) ?? randomUUID();
    names.set(grants, name);
    return `${name}.${grants.ended(now())}`;
  }
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
      // Whoever has gone away while they were recognised is told nothing, and takes no place.
      if (reply.raw.closed) return reply;
      const leave = places.take(identity);
      reply.raw.once('close', leave);
      const follow = async () => {
        const stream = await desk.follow({
          tenantId: identity.tenantId,
          mayRead: (path) => request.may('read', path),
          standing: () => standingOf(request.identity.grants),
          askAgain: () => request.askAgain(),
        });
        // Also where what is answered is not the stream, since the log can't tell of it.
        reply.raw.once('close', () => stream.destroy());
        if (reply.raw.closed) stream.destroy();
        return stream;
      };
      const stream = await told.read(request, { action: 'changes.followed', target: 'all' }, follow);
      reply.header('connection', 'close').header('x-accel-buffering', 'no');
      return reply.type(contentType).send(stream as never);
    },
  );
}
