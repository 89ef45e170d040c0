import { askVault, openConnection, refuseOtherContainer } from '@keyferry/connections';
import { backendStatus, backendTest, cycleAnswer, cyclePage, cycleQuery } from '@keyferry/contracts';
import { classOf } from '@keyferry/core';
import { requestSync } from '@keyferry/pipeline';
import { countKeys, getBackend, listCycles, listHolds } from '@keyferry/store';
import { showStatus } from '../answers/backend-status.ts';
import { showCycle } from '../answers/cycle.ts';
import type { Api, ApiOptions } from '../create-api.ts';
import { responses } from '../responses.ts';
import { vaultRefusals } from '../vault-refusals.ts';
import { cyclesOf } from './cycles.ts';
import { byIdOrName } from './parameters.ts';

const tags = ['backends'];
/** What can be asked of one backend. */
export function backendActionRoutes(app: Api, options: ApiOptions): void {
  const { store } = options;

  app.get(
    '/federation/backends/:id/status',
    {
      config: { needs: { scope: 'federation:read' } },
      schema: {
        tags,
        summary: 'How a backend is doing',
        params: byIdOrName,
        response: responses({ 200: backendStatus }, 'backend_not_found'),
      },
    },
    async ({ identity, params }) =>
      await store.inTenant(identity.tenantId, async (tx) => {
        const backend = await getBackend(tx, params.id);
        const newest = (state: 'completed' | 'failed') => listCycles(tx, { backendId: backend.id, state, limit: 1 });
        const [lastCompleted] = await newest('completed');
        const [lastFailed] = await newest('failed');
        const [openHold] = await listHolds(tx, { backendId: backend.id, limit: 1 });
        return showStatus({
          backend,
          keys: await countKeys(tx, backend.id),
          lastCompleted,
          lastFailed,
          openHold,
        });
      }),
  );

  app.post(
    '/federation/backends/:id/sync',
    {
      config: { needs: { scope: 'federation:write' } },
      schema: {
        tags,
        summary: 'Open a full cycle, or learn of the one that is open',
        params: byIdOrName,
        response: responses({ 202: cycleAnswer }, 'backend_not_found', 'cycle_running'),
      },
    },
    async ({ identity, params }, reply) => {
      const { tenantId, actor } = identity;
      const { name } = await store.inTenant(tenantId, (tx) => getBackend(tx, params.id));
      const cycle = await requestSync(options, { tenantId, backend: params.id, requestedBy: actor });
      return reply
        .code(202)
        .header('location', `/v1/federation/cycles/${cycle.id}`)
        .send(showCycle(cycle, () => name));
    },
  );

  app.post(
    '/federation/backends/:id/test',
    {
      config: { needs: { scope: 'federation:write' } },
      schema: {
        tags,
        summary: 'Ask the vault now whether it answers and lets us in',
        params: byIdOrName,
        response: responses(
          { 200: backendTest },
          'backend_not_found',
          'reference_refused',
          'reference_unresolved',
          ...vaultRefusals,
          'container_changed',
          'container_mismatch',
          'credentials_cycle',
          'credentials_withdrawn',
        ),
      },
    },
    async ({ identity, params }) => {
      const backend = await store.inTenant(identity.tenantId, (tx) => getBackend(tx, params.id));
      const ask = async (deadline: AbortSignal) => {
        await using connection = await openConnection(options, backend, deadline);
        const probe = await connection.probe(deadline);
        refuseOtherContainer(backend, probe);
        return {
          container: probe.container,
          container_id: probe.containerId,
          server: probe.server,
          latency_ms: probe.latencyMs,
          credentials_refused: connection.refusedCredentials?.message ?? null,
        };
      };
      return await askVault(backend.name, (deadline) =>
        ask(deadline).catch((error) => {
          // Of credentials that are kept elsewhere the value before may still work: the pool finds that out now.
          if (classOf(error) !== 'unauthenticated' || backend.credential_paths.length === 0) throw error;
          return ask(deadline);
        }),
      );
    },
  );

  app.get(
    '/federation/backends/:id/cycles',
    {
      config: { needs: { scope: 'federation:read' } },
      schema: {
        tags,
        summary: 'List a backend’s cycles, newest first',
        params: byIdOrName,
        querystring: cycleQuery,
        response: responses({ 200: cyclePage }, 'backend_not_found'),
      },
    },
    async ({ identity, params, query }) =>
      await store.inTenant(identity.tenantId, async (tx) => {
        const { id, name } = await getBackend(tx, params.id);
        return await cyclesOf(tx, query, () => name, id);
      }),
  );
}
