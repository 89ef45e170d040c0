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
import type { Api, ApiOptions } from '../create-api.ts';
import { cursorsOf } from '../cursor.ts';
import { responses } from '../responses.ts';
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
export function secretRoutes(app: Api, { secrets, keyring }: ApiOptions): void {
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
        ),
      },
    },
    async ({ identity, params, query, headers }, reply) => {
      const path = pathOf(params);
      const { version, field } = query;
      const read = await secrets.read(identity.tenantId, path, { version });
      const { etag, state } = read.secret;
      reply.header('etag', etag);
      if (state === 'deprecated') reply.header('warning', `299 keyferry "${deprecation}"`);
      const known = headers['if-none-match'];
      // That it is stale is told in an answer with a body alone.
      if (known !== undefined && !read.stale && etagMatches(known, etag)) return reply.code(304).send();
      // Written by hand: what the schema makes of it would cost more than the rest of the request.
      return reply.type('application/json').send(showSecret(read, field ?? null) as never);
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
        response: responses({ 200: secretPage }, 'prefix_too_broad', 'listing_incomplete', ...sourceRefusals),
      },
    },
    async (request) => {
      const { tenantId } = request.identity;
      const { limit, cursor, prefix } = request.query;
      const cursors = cursorsOf({ keyring, tenantId }, { list: 'secrets', place });
      const [after] = cursor === undefined ? [null] : await cursors.decode(cursor);
      const { names, lookedUpTo } = await secrets.list(tenantId, {
        prefix: prefix.normalize('NFC'),
        after,
        limit: limit + 1,
        sees: (path) => request.may('list', path),
      });
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
        response: responses({ 200: resolveAnswer }),
      },
    },
    async (request, reply) => {
      const { identity, body } = request;
      const refusalOf = (path: string) => (request.may('read', path) ? null : forbiddenPath('read', path));
      const items = await secrets.resolve(identity.tenantId, body.references, refusalOf);
      return reply.type('application/json').send(JSON.stringify({ items }) as never);
    },
  );
}

const deprecation = 'This key is deprecated, and will be archived: keyferry keys explain tells why.';
