import { explanation, keyDetails, keyPage, keyQuery } from '@keyferry/contracts';
import { dependentsOf, getBackend, getKey, listKeys } from '@keyferry/store';
import { z } from 'zod';
import { backendNames } from '../answers/backend-names.ts';
import { showKey } from '../answers/key.ts';
import type { Api, ApiOptions } from '../create-api.ts';
import { decodeCursor, pageOf } from '../cursor.ts';
import { explain } from '../explain.ts';
import { responses } from '../responses.ts';
import { byPathOrId, pathOf } from './key-path.ts';

const tags = ['keys'];
const place = z.tuple([z.string()]);

/** What is known of keys. Values are never part of it. */
export function keyRoutes(app: Api, { store, now }: ApiOptions): void {
  app.get(
    '/keys',
    {
      config: { needs: { onEach: 'list' } },
      schema: {
        tags,
        summary: 'List keys in the order of their paths',
        querystring: keyQuery,
        response: responses({ 200: keyPage }, 'backend_not_found'),
      },
    },
    async ({ identity, query }) =>
      await store.inTenant(identity.tenantId, async (tx) => {
        const { limit, cursor, state, backend, prefix, problems, overdue } = query;
        const [after] = cursor === undefined ? [] : decodeCursor(cursor, place);
        const backendId = backend && (await getBackend(tx, backend)).id;
        const nameOf = await backendNames(tx);
        const keys = await listKeys(tx, {
          limit: limit + 1,
          ...(state && { state }),
          ...(backendId && { backendId }),
          ...(prefix && { prefix: prefix.normalize('NFC') }),
          ...(problems === 'true' && { problems: true }),
          ...(overdue === 'true' && { overdueAt: now() }),
          ...(after !== undefined && { after }),
        });
        return pageOf(
          keys,
          limit,
          (key) => showKey(key, nameOf),
          (key) => [key.local_path],
        );
      }),
  );

  app.get(
    '/keys/*',
    {
      config: { needs: { onEach: 'list' } },
      schema: {
        tags,
        summary: 'Show a key’s record, without its value',
        params: byPathOrId,
        response: responses({ 200: keyDetails }, 'key_not_found'),
      },
    },
    async ({ identity, params }) => {
      const path = pathOf(params);
      return await store.inTenant(identity.tenantId, async (tx) => {
        const key = await getKey(tx, path);
        return { ...showKey(key, await backendNames(tx)), credentials_of: await dependentsOf(tx, key.local_path) };
      });
    },
  );

  app.get(
    '/explain/*',
    {
      config: { needs: { onEach: 'list' } },
      schema: {
        tags,
        summary: 'Tell why a key is as it is, and what happened to it; also of one that was purged',
        params: byPathOrId,
        response: responses({ 200: explanation }, 'key_not_found'),
      },
    },
    async ({ identity, params }) => {
      const path = pathOf(params);
      return await store.inTenant(identity.tenantId, (tx) => explain(tx, path, now()));
    },
  );
}
