import { removeOwnedOfRemoved } from '@keyferry/access';
import { holdApproved, holdDetail, holdList, holdQuery, holdRejected, mostHeldKeys } from '@keyferry/contracts';
import { approveHeld, rejectHeld } from '@keyferry/pipeline';
import { getHold, heldKeys, listHolds } from '@keyferry/store';
import { backendNames } from '../answers/backend-names.ts';
import { showCycle } from '../answers/cycle.ts';
import { showHold } from '../answers/hold.ts';
import type { Api, ApiOptions } from '../create-api.ts';
import { responses } from '../responses.ts';
import { byId } from './parameters.ts';

const tags = ['holds'];

/** Keys that would go in such numbers that a person has to say so. */
export function holdRoutes(app: Api, options: ApiOptions): void {
  const { store } = options;

  app.get(
    '/federation/holds',
    {
      config: { needs: { scope: 'federation:read' } },
      schema: {
        tags,
        summary: 'List holds, newest first; those that wait for a person by default',
        querystring: holdQuery,
        response: responses({ 200: holdList }),
      },
    },
    async ({ identity, query }) =>
      await store.inTenant(identity.tenantId, async (tx) => {
        const nameOf = await backendNames(tx);
        return { items: (await listHolds(tx, query)).map((hold) => showHold(hold, nameOf)) };
      }),
  );

  app.get(
    '/federation/holds/:id',
    {
      config: { needs: { scope: 'federation:read' } },
      schema: {
        tags,
        summary: 'Show a hold and the keys it lists',
        params: byId,
        response: responses({ 200: holdDetail }, 'hold_not_found'),
      },
    },
    async ({ identity, params }) =>
      await store.inTenant(identity.tenantId, async (tx) => {
        const hold = await getHold(tx, params.id);
        return {
          ...showHold(hold, await backendNames(tx)),
          listed: await heldKeys(tx, hold.id, mostHeldKeys),
        };
      }),
  );

  app.post(
    '/federation/holds/:id/approve',
    {
      config: { needs: { scope: 'federation:write' } },
      schema: {
        tags,
        summary:
          'Let exactly these keys go: those of a cycle if a new one proves everything again, those of a removal at once',
        params: byId,
        response: responses(
          { 202: holdApproved },
          'hold_not_found',
          'hold_over',
          'hold_outdated',
          'credentials_in_use',
          'cycle_running',
        ),
      },
    },
    async ({ identity, params }, reply) => {
      const { tenantId, actor } = identity;
      const { hold, cycle } = await approveHeld(options, { tenantId, holdId: params.id, by: actor });
      if (hold.kind === 'removal') await removeOwnedOfRemoved(options, { tenantId, by: actor });
      const nameOf = await store.inTenant(tenantId, backendNames);
      return reply.code(202).send({ hold: showHold(hold, nameOf), cycle: cycle && showCycle(cycle, nameOf) });
    },
  );

  app.post(
    '/federation/holds/:id/reject',
    {
      config: { needs: { scope: 'federation:write' } },
      schema: {
        tags,
        summary: 'Keep these keys as they are, until they are found again',
        params: byId,
        response: responses({ 200: holdRejected }, 'hold_not_found', 'hold_over'),
      },
    },
    async ({ identity, params }) => {
      const { tenantId, actor } = identity;
      const hold = await rejectHeld(options, { tenantId, holdId: params.id, by: actor });
      return { hold: showHold(hold, await store.inTenant(tenantId, backendNames)) };
    },
  );
}
