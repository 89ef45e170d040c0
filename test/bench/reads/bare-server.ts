/**
 * What reading is measured against: a route of Fastify that answers the bytes it is given, in a process of its own. Tells
 * over IPC where it listens.
 */
import { fastify } from 'fastify';

process.on('message', async (body: string) => {
  const app = fastify();
  app.get('/*', async (_request, reply) => reply.type('application/json').send(body));
  process.send?.(await app.listen({ host: '127.0.0.1', port: 0 }));
});
process.on('disconnect', () => process.exit(0));
