import { etagMatches } from '@keyferry/access';
import {
  resolveAnswer,
  resolveRequest,
  secretAnswer,
  secretListQuery,
  secretPage,
  secretQuery,
} from '@keyferry/contracts';
import { forbiddenPath } from '@keyferry/identity';
import { z } from 'zod';
import { showSecret } from '../answers/secret.ts';
import type { Api, RouteOptions } from '../create-api.ts';
import { cursorsOf } from '../cursor.ts';
import { responses } from '../responses.ts';
import { toldReferences } from '../told-references.ts';
import { vaultRefusals } from '../vault-refusals.ts';
import { byPath, pathOf } from './key-path.ts';

const tags = ['secrets'];
const place = z.tuple([z.string()]);
const unchanged = z.undefined().describe('If-None-Match names the value that there is.');
/** What asking where a secret is may come to. */
const sourceRefusals = [
  ...vaultRefusals,
  'vault_disabled',
  'vault_too_large',
  'path_contested',
  'credentials_withdrawn',
  'reference_refused',
  'reference_unresolved',
] as const;

/** Values of secrets, by their local paths. */
export function secretRoutes(app: Api, { secrets, keyring, told }: RouteOptions): void {
  app.get(
    '/secrets/*',
    {
      config: { needs: { onPath: 'read' } },
      schema: {
        tags,
        summary: 'Read a secret, from the store or, where its path is proxied, from its vault',
        params: byPath,
        querystring: secretQuery,
        response: responses(
          { 200: secretAnswer, 304: unchanged },
          'key_not_found',
          'path_unmapped',
          'field_not_found',
          'key_not_served',
          'version_gone',
          'version_unreadable',
          ...sourceRefusals,
          'audit_unavailable',
        ),
      },
    },
    async (request, reply) => {
      const { identity, params, query, headers } = request;
      const path = pathOf(params);
      const { version, field = null } = query;
      const { read, shown } = await told.read(request, { action: 'secret.read', target: path }, async () => {
        const read = await secrets.read(identity.tenantId, path, { version });
        const known = headers['if-none-match'];
        // That it is stale is told in an answer with a body alone.
        const unchanged = known !== undefined && !read.stale && etagMatches(known, read.secret.etag);
        return { read, shown: unchanged ? null : showSecret(read, field) };
      });
      const { etag, state } = read.secret;
      reply.header('etag', etag);
      if (state === 'deprecated') reply.header('warning', `299 keyferry "${deprecation}"`);
      if (shown === null) return reply.code(304).send();
      // Written by hand: what the schema makes of it would cost more than the rest of the request.
      return reply.type('application/json').send(shown as never);
    },
  );

  app.get(
    '/secrets',
    {
      config: { needs: { onEach: 'list' } },
      schema: {
        tags,
        summary: 'List names of secrets that can be read, in the order of their paths',
        description: 'Names of proxied vaults are listed in the vault: give a prefix where it has many.',
        querystring: secretListQuery,
        response: responses(
          { 200: secretPage },
          'prefix_too_broad',
          'listing_incomplete',
          'audit_unavailable',
          ...sourceRefusals,
        ),
      },
    },
    async (request) => {
      const { tenantId } = request.identity;
      const { limit, cursor } = request.query;
      const prefix = request.query.prefix.normalize('NFC');
      const cursors = cursorsOf({ keyring, tenantId }, { list: 'secrets', place });
      const [after] = cursor === undefined ? [null] : await cursors.decode(cursor);
      const wanted = { prefix, after, limit: limit + 1, sees: (path: string) => request.may('list', path) };
      const { names, lookedUpTo } = await told.read(request, { action: 'secrets.listed', target: prefix }, () =>
        secrets.list(tenantId, wanted),
      );
      const items = names.slice(0, limit);
      const last = items.at(-1);
      if (names.length > limit && last) return { items, next_cursor: cursors.shown([last.path]) };
      return { items, next_cursor: lookedUpTo === null ? null : await cursors.hidden([lookedUpTo]) };
    },
  );

  app.post(
    '/secrets/resolve',
    {
      config: { needs: { onEach: 'read' } },
      schema: {
        tags,
        summary: 'Resolve references, each with an outcome of its own',
        body: resolveRequest,
        response: responses({ 200: resolveAnswer }, 'audit_unavailable'),
      },
    },
    async (request, reply) => {
      const { identity, body } = request;
      const refusalOf = (path: string) => (request.may('read', path) ? null : forbiddenPath('read', path));
      const items = await secrets.resolve(identity.tenantId, body.references, refusalOf);
      await told.reads(request, toldReferences(items));
      return reply.type('application/json').send(JSON.stringify({ items }) as never);
    },
  );
}

const deprecation = 'This key is deprecated, and will be archived: keyferry keys explain tells why.';
