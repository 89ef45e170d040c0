import {
  policyAnswer,
  policyCheck,
  policyChecked,
  policyInput,
  policyPage,
  policyPatch,
  policyQuery,
  removedByName,
} from '@keyferry/contracts';
import { explainGrant } from '@keyferry/core';
import { inRanges } from '@keyferry/egress';
import {
  audit,
  createPolicy,
  getPolicy,
  listPolicies,
  readPolicies,
  removePolicy,
  subjectOf,
  updatePolicy,
} from '@keyferry/store';
import { z } from 'zod';
import { policyView, showMiss } from '../answers/policy.ts';
import { changeAccess } from '../change-access.ts';
import type { Api, ApiOptions } from '../create-api.ts';
import { decodeCursor, pageOf } from '../cursor.ts';
import { changedPolicy, newPolicy } from '../policy-settings.ts';
import { responses } from '../responses.ts';
import { checkedPath } from './key-path.ts';
import { byIdOrName } from './parameters.ts';

const tags = ['policies'];
const needs = { scope: 'settings' } as const;
const place = z.tuple([z.string()]);
const badSettings = [
  'policy_invalid',
  'glob_invalid',
  'policy_too_broad',
  'identity_not_found',
  'issuer_not_found',
  'policy_exists',
] as const;

/** Who may do what with which paths. */
export function policyRoutes(app: Api, { store, now }: Pick<ApiOptions, 'store' | 'now'>): void {
  app.get(
    '/policies',
    {
      config: { needs },
      schema: {
        tags,
        summary: 'List the policies, in the order of their names',
        querystring: policyQuery,
        response: responses({ 200: policyPage }),
      },
    },
    async ({ identity, query }) =>
      await store.inTenant(identity.tenantId, async (tx) => {
        const { limit, cursor } = query;
        const [after] = cursor === undefined ? [null] : decodeCursor(cursor, place);
        const policies = await listPolicies(tx, { after, limit: limit + 1 });
        return pageOf(policies, limit, await policyView(tx, policies), ({ name }) => [name]);
      }),
  );

  app.post(
    '/policies',
    {
      config: { needs },
      schema: {
        tags,
        summary: 'Make a policy; it counts within seconds, in every process',
        body: policyInput,
        response: responses({ 201: policyAnswer }, ...badSettings, 'tenant_limit_reached'),
      },
    },
    async ({ identity, body }, reply) => {
      const { tenantId, actor } = identity;
      const made = await changeAccess(store, tenantId, async (tx) => {
        const settings = await newPolicy(tx, body, now());
        const policy = await createPolicy(tx, { tenantId, settings, by: actor, now: now() });
        const shown = (await policyView(tx, [policy]))(policy);
        await audit(
          tx,
          tenantId,
          { actor, action: 'policy.created', target: policy.name, details: { ...shown } },
          now(),
        );
        return shown;
      });
      return reply.code(201).header('location', `/v1/policies/${made.id}`).send(made);
    },
  );

  app.get(
    '/policies/:id',
    {
      config: { needs },
      schema: {
        tags,
        summary: 'Show a policy',
        params: byIdOrName,
        response: responses({ 200: policyAnswer }, 'policy_not_found'),
      },
    },
    async ({ identity, params }) =>
      await store.inTenant(identity.tenantId, async (tx) => {
        const policy = await getPolicy(tx, params.id);
        return (await policyView(tx, [policy]))(policy);
      }),
  );

  app.patch(
    '/policies/:id',
    {
      config: { needs },
      schema: {
        tags,
        summary: 'Change a policy',
        params: byIdOrName,
        body: policyPatch,
        response: responses({ 200: policyAnswer }, 'policy_not_found', ...badSettings, 'tenant_limit_reached'),
      },
    },
    async ({ identity, params, body }) => {
      const { tenantId, actor } = identity;
      return await changeAccess(store, tenantId, async (tx) => {
        const former = await getPolicy(tx, params.id);
        const settings = await changedPolicy(tx, former, body, now());
        const policy = await updatePolicy(tx, { tenantId, id: former.id, settings, now: now() });
        const show = await policyView(tx, [former, policy]);
        const details = { policy_id: policy.id, before: show(former), after: show(policy) };
        await audit(tx, tenantId, { actor, action: 'policy.updated', target: policy.name, details }, now());
        return show(policy);
      });
    },
  );

  app.delete(
    '/policies/:id',
    {
      config: { needs },
      schema: {
        tags,
        summary: 'Remove a policy; what it granted is granted no more',
        params: byIdOrName,
        response: responses({ 200: removedByName }, 'policy_not_found'),
      },
    },
    async ({ identity, params }) => {
      const { tenantId, actor } = identity;
      return await changeAccess(store, tenantId, async (tx) => {
        const policy = await removePolicy(tx, tenantId, params.id);
        const details = { ...(await policyView(tx, [policy]))(policy) };
        await audit(tx, tenantId, { actor, action: 'policy.removed', target: policy.name, details }, now());
        return { id: policy.id, name: policy.name };
      });
    },
  );

  app.post(
    '/policies/check',
    {
      config: { needs },
      schema: {
        tags,
        summary: 'Tell whether somebody may do something with a path, by which policy, or what is in the way',
        body: policyCheck,
        response: responses({ 200: policyChecked }, 'policy_invalid', 'identity_not_found', 'issuer_not_found'),
      },
    },
    async ({ identity: { tenantId }, body }) => {
      const { permission, address = null } = body;
      const path = checkedPath(body.path);
      const { asked, policies } = await store.inTenant(tenantId, async (tx) => ({
        asked: await subjectOf(tx, body),
        policies: await readPolicies(tx),
      }));
      const { subject, identity } = asked;
      const active = identity?.state !== 'disabled';
      const byScope = permission === 'list' && subject.scopes.has('federation:read');
      if (byScope && active)
        return { granted: true, policy: null, scope: 'federation:read' as const, identity, misses: [] };
      const circumstances = { address, now: now() };
      const found = explainGrant(policies, { subject, permission, path, circumstances }, inRanges);
      return {
        granted: active && found.policy !== null,
        policy: found.policy && { id: found.policy.id, name: found.policy.name },
        scope: null,
        identity,
        misses: found.misses.map(showMiss),
      };
    },
  );
}
