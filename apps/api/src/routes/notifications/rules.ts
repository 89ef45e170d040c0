import { type RulePatch, removedByName, ruleAnswer, ruleInput, ruleList, rulePatch } from '@keyferry/contracts';
import {
  audit,
  createRule,
  getBackend,
  getChannel,
  getRule,
  listRules,
  lockNotifications,
  type RuleSettings,
  removeRule,
  type Tx,
  updateRule,
} from '@keyferry/store';
import { ruleView } from '../../answers/rule.ts';
import type { Api, ApiOptions } from '../../create-api.ts';
import { responses } from '../../responses.ts';
import { byIdOrName } from '../parameters.ts';

const tags = ['notifications'];
const badSettings = [
  'config_invalid',
  'glob_invalid',
  'backend_not_found',
  'channel_not_found',
  'rule_exists',
] as const;

/** Which events are told on which channel. */
export function ruleRoutes(app: Api, options: ApiOptions): void {
  const { store, now } = options;

  app.get(
    '/notifications/rules',
    {
      config: { needs: { scope: 'federation:read' } },
      schema: { tags, summary: 'List the rules', response: responses({ 200: ruleList }) },
    },
    async ({ identity }) =>
      await store.inTenant(identity.tenantId, async (tx) => ({
        items: (await listRules(tx)).map(await ruleView(tx)),
      })),
  );

  app.post(
    '/notifications/rules',
    {
      config: { needs: { scope: 'settings' } },
      schema: {
        tags,
        summary: 'Make a rule; it tells of what happens from now on',
        body: ruleInput,
        response: responses({ 201: ruleAnswer }, ...badSettings, 'limit_reached'),
      },
    },
    async ({ identity, body }, reply) => {
      const { tenantId, actor } = identity;
      const { channel, backends, ...same } = body;
      const made = await store.inTenant(tenantId, async (tx) => {
        // So that the channel is not removed meanwhile.
        await lockNotifications(tx, tenantId);
        const settings = {
          ...same,
          channel_id: (await getChannel(tx, channel)).id,
          backend_ids: await idsOf(tx, backends),
        };
        const rule = await createRule(tx, tenantId, settings, now());
        const details = { rule_id: rule.id, ...settings };
        await audit(tx, tenantId, { actor, action: 'rule.created', target: rule.name, details }, now());
        return (await ruleView(tx))(rule);
      });
      return reply.code(201).header('location', `/v1/notifications/rules/${made.id}`).send(made);
    },
  );

  app.get(
    '/notifications/rules/:id',
    {
      config: { needs: { scope: 'federation:read' } },
      schema: {
        tags,
        summary: 'Show a rule',
        params: byIdOrName,
        response: responses({ 200: ruleAnswer }, 'rule_not_found'),
      },
    },
    async ({ identity, params }) =>
      await store.inTenant(identity.tenantId, async (tx) => (await ruleView(tx))(await getRule(tx, params.id))),
  );

  app.patch(
    '/notifications/rules/:id',
    {
      config: { needs: { scope: 'settings' } },
      schema: {
        tags,
        summary: 'Change a rule',
        params: byIdOrName,
        body: rulePatch,
        response: responses({ 200: ruleAnswer }, 'rule_not_found', ...badSettings),
      },
    },
    async ({ identity, params, body }) => {
      const { tenantId, actor } = identity;
      return await store.inTenant(tenantId, async (tx) => {
        await lockNotifications(tx, tenantId);
        const settings = await changedSettings(tx, body);
        const rule = await updateRule(tx, tenantId, params.id, settings, now());
        const details = { rule_id: rule.id, ...settings };
        await audit(tx, tenantId, { actor, action: 'rule.updated', target: rule.name, details }, now());
        return (await ruleView(tx))(rule);
      });
    },
  );

  app.delete(
    '/notifications/rules/:id',
    {
      config: { needs: { scope: 'settings' } },
      schema: {
        tags,
        summary: 'Remove a rule; what it has told stays in the log',
        params: byIdOrName,
        response: responses({ 200: removedByName }, 'rule_not_found'),
      },
    },
    async ({ identity, params }) => {
      const { tenantId, actor } = identity;
      return await store.inTenant(tenantId, async (tx) => {
        const { id, name } = await removeRule(tx, tenantId, params.id, now());
        await audit(tx, tenantId, { actor, action: 'rule.removed', target: name, details: { rule_id: id } }, now());
        return { id, name };
      });
    },
  );
}

async function changedSettings(tx: Tx, { channel, backends, ...same }: RulePatch): Promise<Partial<RuleSettings>> {
  return {
    ...same,
    ...(channel !== undefined && { channel_id: (await getChannel(tx, channel)).id }),
    ...(backends !== undefined && { backend_ids: await idsOf(tx, backends) }),
  };
}

async function idsOf(tx: Tx, backends: readonly string[]): Promise<string[]> {
  const ids = new Set<string>();
  for (const backend of backends) ids.add((await getBackend(tx, backend)).id);
  return [...ids];
}
