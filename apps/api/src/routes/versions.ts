import { keyVersions, rollbackRequest, rolledBackAnswer } from '@keyferry/contracts';
import { rollBackKey } from '@keyferry/pipeline';
import { getKey, listVersions } from '@keyferry/store';
import { showVersions } from '../answers/key-versions.ts';
import type { Api, ApiOptions } from '../create-api.ts';
import { responses } from '../responses.ts';
import { byPathOrId, pathOf } from './key-path.ts';

const tags = ['keys'];

/** The values a key has had, by their numbers alone. */
export function versionRoutes(app: Api, options: ApiOptions): void {
  const { store, secrets } = options;

  app.get(
    '/versions/*',
    {
      config: { needs: { onEach: 'list' } },
      schema: {
        tags,
        summary: 'List the versions of a key that are kept, the newest first, without their values',
        params: byPathOrId,
        response: responses({ 200: keyVersions }, 'key_not_found'),
      },
    },
    async ({ identity, params }) => {
      const path = pathOf(params);
      return await store.inTenant(identity.tenantId, async (tx) => {
        const key = await getKey(tx, path);
        return showVersions(key, await listVersions(tx, key.id));
      });
    },
  );

  app.post(
    '/rollback/*',
    {
      config: { needs: { onEach: 'rotate' } },
      schema: {
        tags,
        summary: 'Serve the value of an earlier version again, until the next change in the vault',
        params: byPathOrId,
        body: rollbackRequest,
        response: responses(
          { 200: rolledBackAnswer },
          'key_not_found',
          'key_not_served',
          'version_gone',
          'nothing_to_roll_back',
        ),
      },
    },
    async ({ identity, params, body }) => {
      const { tenantId, actor } = identity;
      const request = { tenantId, path: pathOf(params), toVersion: body.to, reason: body.reason ?? null, by: actor };
      const { path, fromVersion, toVersion, version } = await rollBackKey(options, request);
      secrets.forget(tenantId, [path]);
      return { path, from_version: fromVersion, to_version: toVersion, version };
    },
  );
}
