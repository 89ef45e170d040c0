import { backupPage, backupQuery, restoredAnswer, restoreRequest } from '@keyferry/contracts';
import { restoreBackup } from '@keyferry/pipeline';
import { getBackend, listBackups } from '@keyferry/store';
import { z } from 'zod';
import { backendNames } from '../answers/backend-names.ts';
import { showBackup } from '../answers/backup.ts';
import type { Api, ApiOptions } from '../create-api.ts';
import { decodeCursor, pageOf } from '../cursor.ts';
import { responses } from '../responses.ts';
import { checkedPath } from './key-path.ts';
import { byId } from './parameters.ts';

const tags = ['backups'];
const place = z.tuple([z.iso.datetime(), z.uuid()]);

/** Values that were kept aside when their keys were deprecated. */
export function backupRoutes(app: Api, options: ApiOptions): void {
  const { store, secrets } = options;

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
    async ({ identity, query }) => {
      const { limit, cursor, backend } = query;
      const path = query.path === undefined ? undefined : checkedPath(query.path);
      const [createdAt, id] = cursor === undefined ? [] : decodeCursor(cursor, place);
      return await store.inTenant(identity.tenantId, async (tx) => {
        const backendId = backend && (await getBackend(tx, backend)).id;
        const nameOf = await backendNames(tx);
        const backups = await listBackups(tx, {
          limit: limit + 1,
          ...(backendId && { backendId }),
          ...(path !== undefined && { path }),
          ...(createdAt && id && { after: { created_at: new Date(createdAt), id } }),
        });
        return pageOf(
          backups,
          limit,
          (backup) => showBackup(backup, nameOf),
          (backup) => [backup.created_at.toISOString(), backup.id],
        );
      });
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
    async ({ identity, params, body }) => {
      const { tenantId, actor } = identity;
      const request = { tenantId, backupId: params.id, reason: body?.reason ?? null, by: actor };
      const { keyId, path, version, newVersion } = await restoreBackup(options, request);
      secrets.forget(tenantId, [path]);
      return { key_id: keyId, path, version, new_version: newVersion };
    },
  );
}
