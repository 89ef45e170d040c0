import {
  identityAnswer,
  identityInput,
  identityPage,
  identityPatch,
  identityQuery,
  identityRemoved,
} from '@keyferry/contracts';
import { KeyferryError } from '@keyferry/core';
import {
  audit,
  createIdentity,
  defaultTenantId,
  getIdentity,
  listIdentities,
  removeIdentity,
  updateIdentity,
} from '@keyferry/store';
import { z } from 'zod';
import { showIdentity } from '../answers/identity.ts';
import { assertMayChange, assertMayGive } from '../authority.ts';
import { changeAccess } from '../change-access.ts';
import type { Api, ApiOptions } from '../create-api.ts';
import { decodeCursor, pageOf } from '../cursor.ts';
import { responses } from '../responses.ts';
import { byIdOrName } from './parameters.ts';

const tags = ['identities'];
const place = z.tuple([z.string()]);

/** Who asks. */
export function identityRoutes(app: Api, { store, now }: ApiOptions): void {
  app.get(
    '/identities',
    {
      config: { needs: { scope: 'settings' } },
      schema: {
        tags,
        summary: 'List the identities by name',
        querystring: identityQuery,
        response: responses({ 200: identityPage }),
      },
    },
    async ({ identity, query: { limit, cursor } }) => {
      const [after] = cursor === undefined ? [] : decodeCursor(cursor, place);
      const rows = await store.inTenant(identity.tenantId, (tx) =>
        listIdentities(tx, { limit: limit + 1, ...(after !== undefined && { after }) }),
      );
      return pageOf(rows, limit, showIdentity, ({ name }) => [name]);
    },
  );

  app.post(
    '/identities',
    {
      config: { needs: { scope: 'settings' } },
      schema: {
        tags,
        summary: 'Make an identity; tokens and issuers let somebody be it, and policies say what it may do with paths',
        body: identityInput,
        response: responses({ 201: identityAnswer }, 'config_invalid', 'identity_exists', 'limit_reached'),
      },
    },
    async ({ identity, body }, reply) => {
      const { tenantId, actor } = identity;
      assertMayGive(identity, body);
      if (body.operator && tenantId !== defaultTenantId)
        throw new KeyferryError('config_invalid', 'operator: operators are identities of the default tenant.');
      const made = await changeAccess(store, tenantId, async (tx) => {
        const row = await createIdentity(tx, { tenantId, settings: body, by: actor, now: now() });
        const details = { identity_id: row.id, scopes: row.scopes, operator: row.operator };
        await audit(tx, tenantId, { actor, action: 'identity.created', target: row.name, details }, now());
        return row;
      });
      return reply.code(201).header('location', `/v1/identities/${made.id}`).send(showIdentity(made));
    },
  );

  app.get(
    '/identities/:id',
    {
      config: { needs: { scope: 'settings' } },
      schema: {
        tags,
        summary: 'Show an identity',
        params: byIdOrName,
        response: responses({ 200: identityAnswer }, 'identity_not_found'),
      },
    },
    async ({ identity, params }) =>
      showIdentity(await store.inTenant(identity.tenantId, (tx) => getIdentity(tx, params.id))),
  );

  app.patch(
    '/identities/:id',
    {
      config: { needs: { scope: 'settings' } },
      schema: {
        tags,
        summary: 'Change what an identity may do, or disable it',
        params: byIdOrName,
        body: identityPatch,
        response: responses({ 200: identityAnswer }, 'config_invalid', 'identity_not_found'),
      },
    },
    async ({ identity, params, body }) => {
      const { tenantId, actor } = identity;
      const changed = await changeAccess(store, tenantId, async (tx) => {
        const before = await getIdentity(tx, params.id);
        assertMayChange(identity, before);
        const scopes = body.scopes ?? before.scopes;
        const enabled = before.state === 'disabled' && body.state === 'active';
        const added = enabled ? scopes : scopes.filter((scope) => !before.scopes.includes(scope));
        assertMayGive(identity, { scopes: added, operator: before.operator });
        const row = await updateIdentity(tx, { tenantId, id: before.id, change: body, now: now() });
        const details = { identity_id: row.id, ...body };
        await audit(tx, tenantId, { actor, action: 'identity.updated', target: row.name, details }, now());
        return row;
      });
      return showIdentity(changed);
    },
  );

  app.delete(
    '/identities/:id',
    {
      config: { needs: { scope: 'settings' } },
      schema: {
        tags,
        summary: 'Remove an identity: its tokens are revoked, and no policy and no issuer means it any more',
        params: byIdOrName,
        response: responses({ 200: identityRemoved }, 'identity_not_found'),
      },
    },
    async ({ identity, params }) => {
      const { tenantId, actor } = identity;
      return await changeAccess(store, tenantId, async (tx) => {
        const { id, name, operator } = await getIdentity(tx, params.id);
        assertMayChange(identity, { operator });
        const revoked = await removeIdentity(tx, tenantId, id, now());
        const details = { identity_id: id, tokens_revoked: revoked };
        await audit(tx, tenantId, { actor, action: 'identity.removed', target: name, details }, now());
        return { id, name, tokens_revoked: revoked };
      });
    },
  );
}
