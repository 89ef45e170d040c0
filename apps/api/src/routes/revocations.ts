import { revokedAnswer, revokeRequest, unrevokedAnswer, unrevokeRequest } from '@keyferry/contracts';
import { type Choosing, revokeKeys, unrevokeKeys } from '@keyferry/pipeline';
import type { FastifyRequest } from 'fastify';
import { requireOn } from '../authentication.ts';
import type { Api, ApiOptions } from '../create-api.ts';
import { responses } from '../responses.ts';

const tags = ['keys'];

/** What takes keys out of use at once, and lets them back. */
export function revocationRoutes(app: Api, options: ApiOptions): void {
  app.post(
    '/keys/revoke',
    {
      config: { needs: { onEach: 'revoke' } },
      schema: {
        tags,
        summary: 'Archive keys at once, whatever their state, until somebody lifts it',
        body: revokeRequest,
        response: responses(
          { 200: revokedAnswer },
          'glob_invalid',
          'key_not_found',
          'nothing_matches',
          'revoke_all_unconfirmed',
        ),
      },
    },
    async (request) => {
      const { tenantId, actor } = request.identity;
      const { paths, exact, reason, all, dry_run: dryRun } = request.body;
      const choosing = choosingOf(request);
      const revoked = await revokeKeys(options, { tenantId, paths, exact, choosing, reason, all, dryRun, by: actor });
      if (revoked.count > 0 && !dryRun) {
        // In Postgres it is a flush already: this has nobody wait for it.
        options.secrets.flush(tenantId);
        void options.flushes.publish(tenantId);
      }
      return {
        dry_run: revoked.dryRun,
        count: revoked.count,
        already_revoked: revoked.alreadyRevoked,
        everything: revoked.everything,
        paths: revoked.paths,
        credentials_of: revoked.credentialsOf,
      };
    },
  );

  app.post(
    '/keys/unrevoke',
    {
      config: { needs: { onEach: 'revoke' } },
      schema: {
        tags,
        summary: 'Let revoked keys come back, once a cycle finds them in their vault',
        body: unrevokeRequest,
        response: responses(
          { 200: unrevokedAnswer },
          'glob_invalid',
          'key_not_found',
          'nothing_matches',
          'not_revoked',
        ),
      },
    },
    async (request) => {
      const { tenantId, actor } = request.identity;
      return await unrevokeKeys(options, { tenantId, ...request.body, choosing: choosingOf(request), by: actor });
    },
  );
}

/** Who may revoke a key may know that there is one. */
const choosingOf = (request: FastifyRequest): Choosing => ({
  require: (path) => requireOn(request, 'revoke', path),
  sees: (path) => request.may('revoke', path) || request.may('list', path),
});
