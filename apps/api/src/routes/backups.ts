import { backupPage, backupQuery, restoredAnswer, restoreRequest } from '@keyferry/contracts';
import { restoreBackup } from '@keyferry/pipeline';
import { listBackups, type Tx } from '@keyferry/store';
import { z } from 'zod';
import { backendNames } from '../answers/backend-names.ts';
import { showBackup } from '../answers/backup.ts';
import type { Api, RouteOptions } from '../create-api.ts';
import { cursorsOf } from '../cursor.ts';
import { responses } from '../responses.ts';
import { backendToList, visiblePage } from '../visible-page.ts';
import { checkedPath } from './key-path.ts';
import { byId } from './parameters.ts';

const tags = ['backups'];
const place = z.tuple([z.iso.datetime(), z.uuid()]);

/** Values that were kept aside when their keys were deprecated. */
export function backupRoutes(app: Api, options: RouteOptions): void {
  const { store, keyring, secrets, told } = options;

  app.get(
    '/backups',
    {
      config: { needs: { onEach: 'list' } },
      schema: {
        tags,
        summary: 'List backups, newest first, without their values',
        querystring: backupQuery,
        response: responses({ 200: backupPage }, 'backend_not_found'),
      },
    },
    async (request) => {
      const { identity, query } = request;
      const { limit, cursor, backend } = query;
      const path = query.path === undefined ? undefined : checkedPath(query.path);
      const cursors = cursorsOf({ keyring, tenantId: identity.tenantId }, { list: 'backups', place });
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
            listBackups(tx, {
              limit: most,
              ...(backendId && { backendId }),
              ...(path !== undefined && { path }),
              ...(from && { after: { created_at: new Date(from[0]), id: from[1] } }),
            }),
          placeOf: (backup): [string, string] => [backup.created_at.toISOString(), backup.id],
          isVisible: (backup) => request.may('list', backup.local_path),
          show: (backup) => showBackup(backup, nameOf),
        });
      };
      return await told.read(request, { action: 'backups.listed', target: path ?? '' }, () =>
        store.inTenant(identity.tenantId, page),
      );
    },
  );

  app.post(
    '/backups/:id/restore',
    {
      config: { needs: { onEach: 'rotate' } },
      schema: {
        tags,
        summary: 'Bring a deprecated or archived key back, with the value of the backup',
        params: byId,
        body: restoreRequest,
        response: responses({ 200: restoredAnswer }, 'backup_not_found', 'restore_taken', 'key_revoked', 'key_expired'),
      },
    },
    async (request) => {
      const { identity, params, body } = request;
      const { tenantId, actor } = identity;
      const { keyId, path, version, newVersion } = await restoreBackup(options, {
        tenantId,
        backupId: params.id,
        may: (path) => request.may('rotate', path),
        reason: body?.reason ?? null,
        by: actor,
      });
      secrets.forget(tenantId, [path]);
      return { key_id: keyId, path, version, new_version: newVersion };
    },
  );
}
