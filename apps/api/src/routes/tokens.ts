import { tokenAnswer, tokenInput, tokenMade, tokenPage, tokenQuery } from '@keyferry/contracts';
import { parseDuration } from '@keyferry/core';
import { audit, createToken, getIdentity, listTokens, revokeToken } from '@keyferry/store';
import { z } from 'zod';
import { showToken } from '../answers/token.ts';
import { assertMayChange, assertMayGive } from '../authority.ts';
import { changeAccess } from '../change-access.ts';
import type { Api, ApiOptions } from '../create-api.ts';
import { decodeCursor, pageOf } from '../cursor.ts';
import { responses } from '../responses.ts';
import { byIdOrName } from './parameters.ts';

const tags = ['identities'];
const place = z.tuple([z.iso.datetime(), z.uuid()]);
const ofIdentity = byIdOrName.extend({ token: z.string().min(1).max(64).describe('Id or name.') });

/** Bearer tokens, each of an identity. */
export function tokenRoutes(app: Api, { store, now }: ApiOptions): void {
  app.post(
    '/identities/:id/tokens',
    {
      config: { needs: { scope: 'settings' } },
      schema: {
        tags,
        summary: 'Make a token; the answer shows it, this once',
        params: byIdOrName,
        body: tokenInput,
        response: responses(
          { 201: tokenMade },
          'config_invalid',
          'duration_invalid',
          'identity_not_found',
          'limit_reached',
        ),
      },
    },
    async ({ identity, params, body: { name, expires_in } }, reply) => {
      const { tenantId, actor } = identity;
      const at = now();
      const expiresAt = expires_in === null ? null : new Date(at.getTime() + parseDuration(expires_in) * 1000);
      const { row, token } = await changeAccess(store, tenantId, async (tx) => {
        const owner = await getIdentity(tx, params.id);
        assertMayGive(identity, owner);
        const made = await createToken(tx, { tenantId, identityId: owner.id, name, expiresAt, by: actor, now: at });
        const { id, shown } = made.row;
        const details = { identity_id: owner.id, token_id: id, shown, name, expires_at: expiresAt };
        await audit(tx, tenantId, { actor, action: 'token.created', target: owner.name, details }, at);
        return made;
      });
      return reply
        .code(201)
        .header('location', `/v1/identities/${row.identity_id}/tokens/${row.id}`)
        .send({ ...showToken(row, at), token });
    },
  );

  app.get(
    '/identities/:id/tokens',
    {
      config: { needs: { scope: 'settings' } },
      schema: {
        tags,
        summary: 'List an identity’s tokens, the newest first, without what they are',
        params: byIdOrName,
        querystring: tokenQuery,
        response: responses({ 200: tokenPage }, 'identity_not_found'),
      },
    },
    async ({ identity, params, query: { limit, cursor } }) => {
      const after = cursor === undefined ? undefined : decodeCursor(cursor, place);
      const rows = await store.inTenant(identity.tenantId, async (tx) => {
        const { id } = await getIdentity(tx, params.id);
        const from = after && { createdAt: new Date(after[0]), id: after[1] };
        return await listTokens(tx, id, { limit: limit + 1, ...(from && { after: from }) });
      });
      const at = now();
      return pageOf(
        rows,
        limit,
        (row) => showToken(row, at),
        ({ created_at, id }) => [created_at.toISOString(), id],
      );
    },
  );

  app.delete(
    '/identities/:id/tokens/:token',
    {
      config: { needs: { scope: 'settings' } },
      schema: {
        tags,
        summary: 'Revoke a token; within two seconds no process takes it any more',
        params: ofIdentity,
        response: responses({ 200: tokenAnswer }, 'identity_not_found', 'token_not_found'),
      },
    },
    async ({ identity, params }) => {
      const { tenantId, actor } = identity;
      const revoked = await changeAccess(store, tenantId, async (tx) => {
        const owner = await getIdentity(tx, params.id);
        assertMayChange(identity, owner);
        const change = { tenantId, identityId: owner.id, idOrName: params.token, now: now() };
        const row = await revokeToken(tx, change);
        const details = { identity_id: owner.id, token_id: row.id, shown: row.shown, name: row.name };
        await audit(tx, tenantId, { actor, action: 'token.revoked', target: owner.name, details }, now());
        return row;
      });
      return showToken(revoked, now());
    },
  );
}
