import { tenantDetail, tenantInput, tenantPage, tenantPatch, tenantQuery } from '@keyferry/contracts';
import {
  approveTenantDeletion,
  type ByOperator,
  createTenant,
  getTenant,
  listTenants,
  ownNameOfOperator,
  rejectTenantDeletion,
  requestTenantDeletion,
  resumeTenant,
  suspendTenant,
  type Tenant,
  type Tx,
  updateTenant,
} from '@keyferry/store';
import { z } from 'zod';
import { detailTenant, showTenant } from '../answers/tenant.ts';
import type { Api, ApiOptions } from '../create-api.ts';
import { decodeCursor, pageOf } from '../cursor.ts';
import { responses } from '../responses.ts';
import { byIdOrName } from './parameters.ts';

const tags = ['tenants'];
const needs = { scope: 'operator' } as const;
const place = z.tuple([z.string(), z.uuid()]);

/** Makes, limits, suspends and deletes tenants. */
export function tenantRoutes(app: Api, { store, keyring, secrets, now }: ApiOptions): void {
  const asOperator = async (by: string, work: (tx: Tx, who: ByOperator) => Promise<Tenant>) => {
    const who = { by: ownNameOfOperator(by), now: now() };
    const tenant = await store.asOperator(async (tx) => {
      const changed = await work(tx, who);
      return await detailTenant(tx, changed);
    });
    if (tenant.state === 'deleted') {
      // Other processes find out by themselves.
      keyring.forget(tenant.id);
      secrets.flush(tenant.id);
    }
    return tenant;
  };

  app.get(
    '/tenants',
    {
      config: { needs },
      schema: { tags, summary: 'List the tenants', querystring: tenantQuery, response: responses({ 200: tenantPage }) },
    },
    async ({ query: { limit, cursor, state } }) => {
      const [name, id] = cursor === undefined ? [] : decodeCursor(cursor, place);
      const after = name !== undefined && id !== undefined && { after: { name, id } };
      const tenants = await store.asOperator((tx) =>
        listTenants(tx, { limit: limit + 1, ...(state && { state }), ...after }),
      );
      return pageOf(tenants, limit, showTenant, (last) => [last.name, last.id]);
    },
  );

  app.post(
    '/tenants',
    {
      config: { needs },
      schema: {
        tags,
        summary: 'Make a tenant',
        body: tenantInput,
        response: responses({ 201: tenantDetail }, 'config_invalid', 'tenant_exists'),
      },
    },
    async ({ identity, body: { name, ...limits } }, reply) => {
      const made = await asOperator(identity.actor, (tx, who) => createTenant(tx, { name, limits, ...who }));
      return reply.code(201).header('location', `/v1/tenants/${made.id}`).send(made);
    },
  );

  app.get(
    '/tenants/:id',
    {
      config: { needs },
      schema: {
        tags,
        summary: 'Show a tenant and how much it has; by its id also one that is deleted',
        params: byIdOrName,
        response: responses({ 200: tenantDetail }),
      },
    },
    async ({ params }) => await store.asOperator(async (tx) => detailTenant(tx, await getTenant(tx, params.id))),
  );

  app.patch(
    '/tenants/:id',
    {
      config: { needs },
      schema: {
        tags,
        summary: 'Rename a tenant, or change what it may have; what it has beyond a limit stays',
        params: byIdOrName,
        body: tenantPatch,
        response: responses({ 200: tenantDetail }, 'config_invalid', 'tenant_exists', 'tenant_outdated'),
      },
    },
    async ({ identity, params, body }) =>
      await asOperator(identity.actor, (tx, who) => updateTenant(tx, params.id, { changes: body, ...who })),
  );

  app.delete(
    '/tenants/:id',
    {
      config: { needs },
      schema: {
        tags,
        summary: 'Delete a tenant; one that has keys is suspended, and waits for a second word',
        params: byIdOrName,
        response: responses({ 200: tenantDetail, 202: tenantDetail }, 'tenant_protected', 'tenant_outdated'),
      },
    },
    async ({ identity, params }, reply) => {
      const tenant = await asOperator(identity.actor, (tx, who) => requestTenantDeletion(tx, params.id, who));
      return reply.code(tenant.state === 'deleted' ? 200 : 202).send(tenant);
    },
  );

  const acts = [
    ['suspend', 'Let a tenant rest: no request of its own is answered, and nothing is done for it', suspendTenant],
    ['resume', 'Let a suspended tenant go on where it was', resumeTenant],
    ['deletion/approve', 'Delete the tenant now: nobody can open its values any more', approveTenantDeletion],
    ['deletion/reject', 'Keep the tenant, which stays suspended', rejectTenantDeletion],
  ] as const;
  for (const [act, summary, work] of acts)
    app.post(
      `/tenants/:id/${act}`,
      {
        config: { needs },
        schema: {
          tags,
          summary,
          params: byIdOrName,
          response: responses({ 200: tenantDetail }, 'tenant_protected', 'tenant_outdated'),
        },
      },
      async ({ identity, params }) => await asOperator(identity.actor, (tx, who) => work(tx, params.id, who)),
    );
}
