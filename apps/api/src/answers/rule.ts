import type { RuleAnswer } from '@keyferry/contracts';
import { listChannels, type NotificationRule, type Tx } from '@keyferry/store';
import { backendNames } from './backend-names.ts';

/** How rules are shown, with the names of their channels and backends as those are now. */
export async function ruleView(tx: Tx): Promise<(rule: NotificationRule) => RuleAnswer> {
  const backendNameOf = await backendNames(tx);
  const channels = new Map((await listChannels(tx)).map(({ id, name }) => [id, name]));
  return (rule) => ({
    id: rule.id,
    name: rule.name,
    channel_id: rule.channel_id,
    channel: channels.get(rule.channel_id) ?? rule.channel_id,
    event_types: rule.event_types,
    backend_ids: rule.backend_ids,
    backends: rule.backend_ids.map(backendNameOf),
    paths: rule.paths,
    min_severity: rule.min_severity,
    state: rule.state,
    created_at: rule.created_at.toISOString(),
    updated_at: rule.updated_at.toISOString(),
  });
}
