import { explanation, keyDetails, keyPage, keyQuery } from '@keyferry/contracts';
import { dependentsOf, getPermittedKey, listKeys, type Tx } from '@keyferry/store';
import { z } from 'zod';
import { backendNames } from '../answers/backend-names.ts';
import { showKey } from '../answers/key.ts';
import type { Api, RouteOptions } from '../create-api.ts';
import { cursorsOf } from '../cursor.ts';
import { explain } from '../explain.ts';
import { responses } from '../responses.ts';
import { backendToList, visiblePage } from '../visible-page.ts';
import { byPathOrId, pathOf, refuseUnlessId } from './key-path.ts';

const tags = ['keys'];
const place = z.tuple([z.string()]);

/** What is known of keys. Values are never part of it. */
export function keyRoutes(app: Api, { store, keyring, now, told }: RouteOptions): void {
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
    async (request) => {
      const { identity, query } = request;
      const { limit, cursor, state, backend, prefix, problems, overdue } = query;
      const cursors = cursorsOf({ keyring, tenantId: identity.tenantId }, { list: 'keys', place });
      const after = cursor === undefined ? null : await cursors.decode(cursor);
      const page = async (tx: Tx) => {
        const backendId = backend && (await backendToList(request, tx, backend));
        if (backendId === null) return { items: [], next_cursor: null };
        const nameOf = await backendNames(tx);
        return await visiblePage({
          limit,
          after,
          cursors,
          read: (from, most) =>
            listKeys(tx, {
              limit: most,
              ...(state && { state }),
              ...(backendId && { backendId }),
              ...(prefix && { prefix: prefix.normalize('NFC') }),
              ...(problems === 'true' && { problems: true }),
              ...(overdue === 'true' && { overdueAt: now() }),
              ...(from && { after: from[0] }),
            }),
          placeOf: (key): [string] => [key.local_path],
          isVisible: (key) => request.may('list', key.local_path),
          show: (key) => showKey(key, nameOf),
        });
      };
      return await told.read(request, { action: 'keys.listed', target: prefix ?? '' }, () =>
        store.inTenant(identity.tenantId, page),
      );
    },
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
    async (request) => {
      const asked = pathOf(request.params);
      refuseUnlessId(request, 'list', asked);
      const details = async (tx: Tx) => {
        const key = await getPermittedKey(tx, asked, (path) => request.may('list', path));
        return { ...showKey(key, await backendNames(tx)), credentials_of: await dependentsOf(tx, key.local_path) };
      };
      return await told.read(request, { action: 'key.shown', target: asked }, () =>
        store.inTenant(request.identity.tenantId, details),
      );
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
    async (request) => {
      const asked = pathOf(request.params);
      refuseUnlessId(request, 'list', asked);
      const mayList = (path: string) => request.may('list', path);
      return await told.read(request, { action: 'key.explained', target: asked }, () =>
        store.inTenant(request.identity.tenantId, (tx) => explain(tx, asked, { mayList, now: now() })),
      );
    },
  );
}
