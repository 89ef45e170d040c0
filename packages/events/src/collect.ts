import { setImmediate as turn } from 'node:timers/promises';
import {
  type EventGroup,
  endedGroup,
  forEachDespiteErrors,
  groupOf,
  parseGlob,
  type RuleFilter,
  toldPaths,
  withEvent,
} from '@keyferry/core';
import {
  type ActiveRule,
  activeRules,
  type CollectedNotice,
  collectingNotices,
  lastEventPosition,
  listEvents,
  moveNotificationCursor,
  notificationCursor,
  releaseNotices,
  type Store,
  type StoredEvent,
  type Tx,
  tenantsWithNoticesToCollect,
  tryLockNotifications,
  writeCollected,
} from '@keyferry/store';

export interface CollectServices {
  store: Store;
  now: () => Date;
}

/** Events name up to 500 paths each, and are in memory all at once. */
const batchSize = 100;
/** So many events are matched before others of this process have their turn. */
const eventsAtATime = 10;

/**
 * Matches new events of the outbox with the rules of notifications, and gathers what they tell into one notice for each rule
 * and group. Any number of these may run: one at a time works on a tenant. Returns how many events were matched.
 */
export async function collectNotices({ store, now }: CollectServices): Promise<number> {
  let matched = 0;
  await forEachDespiteErrors(await tenantsWithNoticesToCollect(store, now()), async (tenantId) => {
    let count: number;
    do {
      count = await store.inTenant(tenantId, (tx) => collectBatch(tx, tenantId, now()));
      matched += count;
    } while (count === batchSize);
  });
  return matched;
}

async function collectBatch(tx: Tx, tenantId: string, now: Date): Promise<number> {
  if (!(await tryLockNotifications(tx, tenantId))) return 0;
  const cursor = await notificationCursor(tx);
  const rules = await activeRules(tx);
  const events = rules.length > 0 ? await listEvents(tx, cursor, batchSize) : [];
  await writeCollected(tx, tenantId, await gather(tx, rules, events, now), now);
  await releaseNotices(
    tx,
    events.map(endedGroup).filter((group) => group !== null),
    now,
  );
  // Without rules nobody is to be told of anything.
  const reached = rules.length > 0 ? events.at(-1)?.position : await lastEventPosition(tx);
  if (reached !== undefined && reached > cursor) await moveNotificationCursor(tx, tenantId, reached);
  return events.length;
}

interface Match {
  rule: ActiveRule;
  group: EventGroup;
  event: StoredEvent;
  paths: string[];
}

/** The notices that these events belong to, with what was collected before. */
async function gather(
  tx: Tx,
  rules: readonly ActiveRule[],
  events: readonly StoredEvent[],
  now: Date,
): Promise<CollectedNotice[]> {
  const matches = await matchAll(rules, events, now);
  const key = (ruleId: string, groupKey: string) => `${ruleId} ${groupKey}`;
  const groups = [...new Set(matches.map(({ group }) => group.key))];
  const before = await collectingNotices(tx, groups);
  const known = new Map(before.map((notice) => [key(notice.rule_id, notice.group_key), notice.message]));
  const collected = new Map<string, CollectedNotice>();
  for (const { rule, group, event, paths } of matches) {
    const place = key(rule.id, group.key);
    const message = collected.get(place)?.message ?? known.get(place) ?? null;
    collected.set(place, {
      rule,
      groupKey: group.key,
      readyAt: group.readyAt,
      message: withEvent(message, event, paths, group.cycleId),
    });
  }
  return [...collected.values()];
}

async function matchAll(rules: readonly ActiveRule[], events: readonly StoredEvent[], now: Date): Promise<Match[]> {
  const filters = rules.map((rule) => ({ rule, filter: filterOf(rule) }));
  const matches: Match[] = [];
  for (const [index, event] of events.entries()) {
    if (index % eventsAtATime === 0) await turn();
    const group = groupOf(event, now);
    for (const { rule, filter } of filters) {
      const paths = event.position > rule.from_position ? toldPaths(filter, event) : null;
      if (paths !== null) matches.push({ rule, group, event, paths });
    }
  }
  return matches;
}

function filterOf(rule: ActiveRule): RuleFilter {
  return {
    eventTypes: rule.event_types,
    backendIds: rule.backend_ids,
    paths: rule.paths.map(parseGlob),
    minSeverity: rule.min_severity,
  };
}
