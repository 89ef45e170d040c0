import { keyVersions, rollbackRequest, rolledBackAnswer } from '@keyferry/contracts';
import { rollBackKey } from '@keyferry/pipeline';
import { getPermittedKey, listVersions, type Tx } from '@keyferry/store';
import { showVersions } from '../answers/key-versions.ts';
import type { Api, RouteOptions } from '../create-api.ts';
import { responses } from '../responses.ts';
import { byPathOrId, pathOf, refuseUnlessId } from './key-path.ts';

const tags = ['keys'];

/** The values a key has had, by their numbers alone. */
export function versionRoutes(app: Api, options: RouteOptions): void {
  const { store, secrets, told } = options;

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
    async (request) => {
      const asked = pathOf(request.params);
      refuseUnlessId(request, 'list', asked);
      const versions = async (tx: Tx) => {
        const key = await getPermittedKey(tx, asked, (path) => request.may('list', path));
        return showVersions(key, await listVersions(tx, key.id));
      };
      return await told.read(request, { action: 'key.versions_listed', target: asked }, () =>
        store.inTenant(request.identity.tenantId, versions),
      );
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
    async (request) => {
      const { identity, params, body } = request;
      const { tenantId, actor } = identity;
      const asked = pathOf(params);
      refuseUnlessId(request, 'rotate', asked);
      const { path, fromVersion, toVersion, version } = await rollBackKey(options, {
        tenantId,
        path: asked,
        may: (path) => request.may('rotate', path),
        toVersion: body.to,
        reason: body.reason ?? null,
        by: actor,
      });
      secrets.forget(tenantId, [path]);
      return { path, from_version: fromVersion, to_version: toVersion, version };
    },
  );
}
