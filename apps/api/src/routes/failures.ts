import { failureList, failureQuery, failureReplayed } from '@keyferry/contracts';
import { replayFailure } from '@keyferry/pipeline';
import { getBackend, listFailures } from '@keyferry/store';
import { backendNames } from '../answers/backend-names.ts';
import { showCycle } from '../answers/cycle.ts';
import { showFailure } from '../answers/failure.ts';
import type { Api, ApiOptions } from '../create-api.ts';
import { responses } from '../responses.ts';
import { byId } from './parameters.ts';

const tags = ['failures'];

/** Stages and shards that failed. */
export function failureRoutes(app: Api, options: ApiOptions): void {
  const { store } = options;

  app.get(
    '/federation/failures',
    {
      config: { needs: { scope: 'federation:read' } },
      schema: {
        tags,
        summary: 'List failed work, newest first: what is tried again and what gave up',
        querystring: failureQuery,
        response: responses({ 200: failureList }, 'backend_not_found'),
      },
    },
    async ({ identity, query }) =>
      await store.inTenant(identity.tenantId, async (tx) => {
        const { limit, backend } = query;
        const backendId = backend && (await getBackend(tx, backend)).id;
        const nameOf = await backendNames(tx);
        const failures = await listFailures(tx, { limit, ...(backendId && { backendId }) });
        return { items: failures.map((failure) => showFailure(failure, nameOf)) };
      }),
  );

  app.post(
    '/federation/failures/:id/replay',
    {
      config: { needs: { scope: 'jobs:replay' } },
      schema: {
        tags,
        summary: 'Try the backend’s failed work again',
        params: byId,
        response: responses(
          { 202: failureReplayed },
          'failure_not_found',
          'backend_not_found',
          'nothing_to_replay',
          'cycle_running',
        ),
      },
    },
    async ({ identity, params }, reply) => {
      const { tenantId, actor } = identity;
      const { cycle, resumed } = await replayFailure(options, { tenantId, failureId: params.id, requestedBy: actor });
      const nameOf = await store.inTenant(tenantId, backendNames);
      return reply.code(202).send({ cycle: showCycle(cycle, nameOf), resumed });
    },
  );
}
