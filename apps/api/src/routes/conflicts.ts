import { conflictPage, conflictQuery, conflictResolution, conflictsResolved } from '@keyferry/contracts';
import { resolveBackendConflicts } from '@keyferry/pipeline';
import { getBackend, listConflicts } from '@keyferry/store';
import { z } from 'zod';
import { showConflict } from '../answers/conflict.ts';
import type { Api, ApiOptions } from '../create-api.ts';
import { decodeCursor, pageOf } from '../cursor.ts';
import { responses } from '../responses.ts';
import { byIdOrName } from './parameters.ts';

const tags = ['conflicts'];
const conflictPlace = z.tuple([z.iso.datetime(), z.uuid()]);

/** Keys that were changed in the vault and here, and wait for a person. */
export function conflictRoutes(app: Api, options: ApiOptions): void {
  const { store } = options;

  app.get(
    '/federation/backends/:id/conflicts',
    {
      config: { needs: { scope: 'federation:read' } },
      schema: {
        tags,
        summary: 'List the keys of a backend that are in conflict, the oldest first: both sides, without their values',
        params: byIdOrName,
        querystring: conflictQuery,
        response: responses({ 200: conflictPage }, 'backend_not_found'),
      },
    },
    async ({ identity, params, query }) =>
      await store.inTenant(identity.tenantId, async (tx) => {
        const { limit, cursor } = query;
        const backend = await getBackend(tx, params.id);
        const [detectedAt, keyId] = cursor === undefined ? [] : decodeCursor(cursor, conflictPlace);
        const after = detectedAt && keyId ? { detected_at: new Date(detectedAt), key_id: keyId } : undefined;
        const rows = await listConflicts(tx, backend.id, { limit: limit + 1, ...(after && { after }) });
        const page = pageOf(
          rows,
          limit,
          (conflict) => showConflict(conflict, backend),
          ({ detected_at, key_id }) => [detected_at.toISOString(), key_id],
        );
        return { ...page, policy: backend.conflict_policy };
      }),
  );

  app.post(
    '/federation/backends/:id/conflicts/resolve',
    {
      config: { needs: { scope: 'federation:write' } },
      schema: {
        tags,
        summary: 'Say which side to keep, of what the vault had when the conflict was last seen; a cycle does it',
        params: byIdOrName,
        body: conflictResolution,
        response: responses({ 202: conflictsResolved }, 'backend_not_found', 'conflict_not_found'),
      },
    },
    async (asking, reply) => {
      const { identity, params, body } = asking;
      const { tenantId, actor } = identity;
      const { keep } = body;
      const request = { tenantId, backend: params.id, keep, paths: 'paths' in body ? body.paths : null, by: actor };
      const { backend, paths, cycleId } = await resolveBackendConflicts(options, request);
      const named = new Set('paths' in body ? body.paths.map((path) => path.normalize('NFC')) : []);
      const told = paths.filter((path) => named.has(path) || asking.may('list', path));
      return reply.code(202).send({ backend, keep, paths: told, cycle_id: cycleId });
    },
  );
}
