import { errorAnswer, healthAnswer, type ReadyAnswer, readyAnswer } from '@keyferry/contracts';
import { pingDatabase } from '@keyferry/store';
import type { Api, ApiOptions } from '../create-api.ts';

const tags = ['health'];
/** A service that hangs is as good as away. */
const patienceMs = 2_000;

/** For whoever starts and watches the process; open to anyone, and says nothing else. */
export function healthRoutes(app: Api, { store, redis }: ApiOptions): void {
  // Anyone may ask, so that any number who ask at a time share one question.
  const database = shared(() => pingDatabase(store));
  const cache = shared(() => redis.ping());

  app.get(
    '/healthz',
    {
      config: { unlimited: true },
      schema: { tags, summary: 'Whether the process answers', response: { 200: healthAnswer, 400: errorAnswer } },
    },
    async () => ({ status: 'ok' as const }),
  );

  app.get(
    '/readyz',
    {
      config: { unlimited: true },
      schema: {
        tags,
        summary: 'Whether the services below answer',
        response: { 200: readyAnswer, 400: errorAnswer, 503: readyAnswer },
      },
    },
    async (_request, reply) => {
      const [databaseState, redisState] = await Promise.all([stateOf(database()), stateOf(cache())]);
      const status = databaseState === 'ok' && redisState === 'ok' ? 'ok' : 'unavailable';
      return reply.code(status === 'ok' ? 200 : 503).send({ status, database: databaseState, redis: redisState });
    },
  );
}

function shared(ask: () => Promise<unknown>): () => Promise<unknown> {
  let asking: Promise<unknown> | null = null;
  return () => {
    asking ??= ask().finally(() => {
      asking = null;
    });
    return asking;
  };
}

async function stateOf(call: Promise<unknown>): Promise<ReadyAnswer['status']> {
  const { promise: late, resolve } = Promise.withResolvers<'unavailable'>();
  const timer = setTimeout(() => resolve('unavailable'), patienceMs);
  try {
    return await Promise.race([
      call.then(
        () => 'ok' as const,
        () => 'unavailable' as const,
      ),
      late,
    ]);
  } finally {
    clearTimeout(timer);
  }
}
