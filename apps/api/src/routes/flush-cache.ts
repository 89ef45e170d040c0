import { flushCaches } from '@keyferry/access';
import { errorAnswer, flushedAnswer, flushRefused } from '@keyferry/contracts';
import { KeyferryError } from '@keyferry/core';
import { z } from 'zod';
import type { Api, ApiOptions } from '../create-api.ts';
import { responses } from '../responses.ts';

/** Forgets every value that any process keeps in memory, so that each is read anew. */
export function flushRoutes(app: Api, options: ApiOptions): void {
  const { secrets, flushes } = options;
  // Whatever body a client sends along is not read.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, body, done) => {
    body.on('end', () => done(null)).resume();
  });

  app.post(
    '/api/vault/flush-cache',
    {
      config: { needs: { scope: 'federation:write' } },
      schema: {
        tags: ['secrets'],
        summary: 'Let nothing that was read before be answered any more, by any process',
        security: [{ token: [] }],
        response: responses({ 200: flushedAnswer, 400: z.union([flushRefused, errorAnswer]) }),
      },
    },
    async ({ identity }, reply) => {
      const { tenantId, actor } = identity;
      try {
        await flushCaches(options, { tenantId, by: actor });
      } catch (error) {
        if (!(error instanceof KeyferryError) || error.code !== 'vault_not_enabled') throw error;
        // What clients of such a route know, to the letter.
        return reply.code(400).send({ error: 'vault is not enabled' as const });
      }
      secrets.flush(tenantId);
      await flushes.publish(tenantId);
      return { message: 'vault cache flushed' as const };
    },
  );
}
