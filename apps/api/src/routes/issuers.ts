import { issuerAnswer, issuerInput, issuerList, issuerPatch, removedByName } from '@keyferry/contracts';
import { audit, createIssuer, getIssuer, listIssuers, removeIssuer, updateIssuer } from '@keyferry/store';
import { showIssuer } from '../answers/issuer.ts';
import { changeAccess } from '../change-access.ts';
import type { Api, ApiOptions } from '../create-api.ts';
import { assertMayChangeIssuer, assertReachable, assertSound, identityNames, mappingsOf } from '../issuer-settings.ts';
import { responses } from '../responses.ts';
import { byIdOrName } from './parameters.ts';

const tags = ['identities'];
const badSettings = ['config_invalid', 'egress_refused', 'issuer_exists', 'identity_not_found'] as const;

/** Whose signed tokens are taken. */
export function issuerRoutes(app: Api, { store, egress, now }: ApiOptions): void {
  app.get(
    '/issuers',
    {
      config: { needs: { scope: 'settings' } },
      schema: { tags, summary: 'List the issuers of signed tokens', response: responses({ 200: issuerList }) },
    },
    async ({ identity }) =>
      await store.inTenant(identity.tenantId, async (tx) => {
        const issuers = await listIssuers(tx);
        const nameOf = await identityNames(tx, issuers);
        return { items: issuers.map((issuer) => showIssuer(issuer, nameOf)) };
      }),
  );

  app.post(
    '/issuers',
    {
      config: { needs: { scope: 'settings' } },
      schema: {
        tags,
        summary: 'Take an issuer’s signed tokens, and say whom their claims stand for',
        body: issuerInput,
        response: responses({ 201: issuerAnswer }, ...badSettings, 'limit_reached'),
      },
    },
    async ({ identity, body }, reply) => {
      const { tenantId, actor } = identity;
      assertReachable(egress.policy, body);
      const made = await changeAccess(store, tenantId, async (tx) => {
        const settings = { ...body, mappings: await mappingsOf(tx, identity, body.mappings) };
        const row = await createIssuer(tx, { tenantId, settings, by: actor, now: now() });
        const { jwks, ca_cert, ...told } = settings;
        const details = { issuer_id: row.id, ...told };
        await audit(tx, tenantId, { actor, action: 'issuer.created', target: row.name, details }, now());
        return showIssuer(row, await identityNames(tx, [row]));
      });
      return reply.code(201).header('location', `/v1/issuers/${made.id}`).send(made);
    },
  );

  app.get(
    '/issuers/:id',
    {
      config: { needs: { scope: 'settings' } },
      schema: {
        tags,
        summary: 'Show an issuer',
        params: byIdOrName,
        response: responses({ 200: issuerAnswer }, 'issuer_not_found'),
      },
    },
    async ({ identity, params }) =>
      await store.inTenant(identity.tenantId, async (tx) => {
        const issuer = await getIssuer(tx, params.id);
        return showIssuer(issuer, await identityNames(tx, [issuer]));
      }),
  );

  app.patch(
    '/issuers/:id',
    {
      config: { needs: { scope: 'settings' } },
      schema: {
        tags,
        summary: 'Change an issuer; mappings are given as a whole',
        params: byIdOrName,
        body: issuerPatch,
        response: responses({ 200: issuerAnswer }, 'issuer_not_found', ...badSettings),
      },
    },
    async ({ identity, params, body }) => {
      const { tenantId, actor } = identity;
      return await changeAccess(store, tenantId, async (tx) => {
        const before = await getIssuer(tx, params.id);
        await assertMayChangeIssuer(tx, identity, before);
        const after = assertSound({ ...before, ...body });
        assertReachable(egress.policy, after);
        const { mappings, ...same } = body;
        const settings = { ...same, ...(mappings && { mappings: await mappingsOf(tx, identity, mappings) }) };
        const row = await updateIssuer(tx, { tenantId, id: before.id, settings, now: now() });
        const { jwks, ca_cert, ...told } = settings;
        const details = { issuer_id: row.id, changed: Object.keys(settings), ...told };
        await audit(tx, tenantId, { actor, action: 'issuer.updated', target: row.name, details }, now());
        return showIssuer(row, await identityNames(tx, [row]));
      });
    },
  );

  app.delete(
    '/issuers/:id',
    {
      config: { needs: { scope: 'settings' } },
      schema: {
        tags,
        summary: 'Remove an issuer: its tokens are nobody’s, and no policy means them any more',
        params: byIdOrName,
        response: responses({ 200: removedByName }, 'issuer_not_found'),
      },
    },
    async ({ identity, params }) => {
      const { tenantId, actor } = identity;
      return await changeAccess(store, tenantId, async (tx) => {
        const { id, name } = await removeIssuer(tx, tenantId, params.id, now());
        await audit(tx, tenantId, { actor, action: 'issuer.removed', target: name, details: { issuer_id: id } }, now());
        return { id, name };
      });
    },
  );
}
