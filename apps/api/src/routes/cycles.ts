import { cycleAnswer, cyclePage, cycleQuery, issuePage, issueQuery } from '@keyferry/contracts';
import { emptyCounts, issuesOf } from '@keyferry/core';
import { type Cycle, getCycle, listCycles, listIssues, sumShards, type Tx } from '@keyferry/store';
import { z } from 'zod';
import { type BackendNames, backendNames } from '../answers/backend-names.ts';
import { showCycle } from '../answers/cycle.ts';
import type { Api, ApiOptions } from '../create-api.ts';
import { decodeCursor, pageOf } from '../cursor.ts';
import { responses } from '../responses.ts';
import { byId } from './parameters.ts';

const tags = ['cycles'];
const cyclePlace = z.tuple([z.iso.datetime(), z.uuid()]);
const issuePlace = z.tuple([z.number().int().nonnegative()]);

export function cycleRoutes(app: Api, { store }: ApiOptions): void {
  app.get(
    '/federation/cycles',
    {
      config: { needs: { scope: 'federation:read' } },
      schema: {
        tags,
        summary: 'List the cycles of all backends, newest first',
        querystring: cycleQuery,
        response: responses({ 200: cyclePage }),
      },
    },
    async ({ identity, query }) =>
      await store.inTenant(identity.tenantId, async (tx) => cyclesOf(tx, query, await backendNames(tx))),
  );

  app.get(
    '/federation/cycles/:id',
    {
      config: { needs: { scope: 'federation:read' } },
      schema: {
        tags,
        summary: 'Show a cycle; an open one with what is counted so far',
        params: byId,
        response: responses({ 200: cycleAnswer }, 'cycle_not_found'),
      },
    },
    async ({ identity, params }) =>
      await store.inTenant(identity.tenantId, async (tx) => {
        const cycle = await getCycle(tx, params.id);
        return showCycle(cycle.state === 'open' ? await soFar(tx, cycle) : cycle, await backendNames(tx));
      }),
  );

  app.get(
    '/federation/cycles/:id/issues',
    {
      config: { needs: { scope: 'federation:read' } },
      schema: {
        tags,
        summary: 'List the secrets that failed, were skipped or are in conflict',
        params: byId,
        querystring: issueQuery,
        response: responses({ 200: issuePage }, 'cycle_not_found'),
      },
    },
    async ({ identity, params, query }) =>
      await store.inTenant(identity.tenantId, async (tx) => {
        const { limit, cursor } = query;
        await getCycle(tx, params.id);
        const [after = 0] = cursor === undefined ? [] : decodeCursor(cursor, issuePlace);
        const issues = await listIssues(tx, params.id, { after, limit: limit + 1 });
        return pageOf(
          issues,
          limit,
          ({ id: _, ...issue }) => issue,
          ({ id }) => [id],
        );
      }),
  );
}

/** One page of cycles, of one backend or of all. */
export async function cyclesOf(tx: Tx, query: z.output<typeof cycleQuery>, nameOf: BackendNames, backendId?: string) {
  const { limit, cursor, state } = query;
  const [openedAt, id] = cursor === undefined ? [] : decodeCursor(cursor, cyclePlace);
  const cycles = await listCycles(tx, {
    limit: limit + 1,
    ...(backendId && { backendId }),
    ...(state && { state }),
    ...(openedAt && id && { after: { opened_at: new Date(openedAt), id } }),
  });
  return pageOf(
    cycles,
    limit,
    (cycle) => showCycle(cycle, nameOf),
    (cycle) => [cycle.opened_at.toISOString(), cycle.id],
  );
}

/** An open cycle with its shards' counts, which become its own when it closes. */
async function soFar(tx: Tx, cycle: Cycle): Promise<Cycle> {
  const shards = await sumShards(tx, cycle.id);
  const counts = { ...emptyCounts(), ...sum(cycle.counts, shards.counts) };
  return { ...cycle, counts, calls: sum(cycle.calls, shards.calls), issues: issuesOf(counts) };
}

function sum(left: Record<string, number>, right: Record<string, number>): Record<string, number> {
  const total = { ...left };
  for (const [name, value] of Object.entries(right)) total[name] = (total[name] ?? 0) + value;
  return total;
}
