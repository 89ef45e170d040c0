import { setImmediate as turn } from 'node:timers/promises';
import {
  type FederationSettings,
  isMassLoss,
  KeyferryError,
  type LifecycleSettings,
  matches,
  parseFederation,
  parseGlob,
  parseLifecycle,
  parseMapping,
  type TimedKey,
} from '@keyferry/core';
import {
  type Backend,
  type BackendSettings,
  countKeys,
  estimateLossOf,
  getBackend,
  keyNames,
  keysToPreview,
} from '@keyferry/store';
import type { CoordinationServices } from './services.ts';

/** Some of the keys that something would happen to. */
export interface SomeKeys {
  count: number;
  paths: string[];
}

const effects = [
  'out_of_scope',
  'renamed',
  'archived_at_once',
  'purged_at_once',
  'archived_sooner',
  'archived_later',
  'purged_sooner',
  'purged_later',
  'missing',
  'overdue',
] as const;
type Effect = (typeof effects)[number];

/** What a change of a backend's settings would do to the keys there are. */
export interface ChangePreview extends Record<Effect, SomeKeys> {
  backend: string;
  /** Active and deprecated keys. */
  keys: number;
  would_hold: boolean;
}

/** What the guard counts, each key once. */
const losses: ReadonlySet<Effect> = new Set<Effect>(['out_of_scope', 'renamed', 'missing']);

/** So many keys are looked at before others have their turn: there may be many globs to each. */
const keysATurn = 200;

/** How many paths are named of each effect. */
const mostPaths = 20;

type Decisive = LifecycleSettings & FederationSettings & Pick<Backend, 'guard_percent' | 'guard_at_least'>;

/** The members that decide on what becomes of keys; the guard's only say what is held of it. */
const decisive = [
  'auto_deprecate',
  'grace_period_seconds',
  'retain_archived_seconds',
  'lifecycle_rules',
  'mode',
  'sync_paths',
  'exclude_paths',
  'path_mapping',
] as const satisfies readonly (keyof Decisive)[];

/** Looks at every key as the settings of now and those that are wanted see it, page by page, and writes nothing. */
export async function previewChange(
  services: CoordinationServices,
  request: { tenantId: string; backend: string; settings: Partial<BackendSettings> },
): Promise<ChangePreview> {
  const { tenantId, settings } = request;
  const now = services.now();
  const backend = await services.store.inTenant(tenantId, (tx) => getBackend(tx, request.backend));
  const wanted: Decisive = { ...backend, ...settings };
  const looksAtNames = settings.path_mapping !== undefined || !backend.names_current;
  // A new name or address does nothing to keys: then they need not be looked at, which takes a while where they are many.
  if (!looksAtNames && !decisive.some((member) => settings[member] !== undefined)) {
    const { active, deprecated } = await services.store.inTenant(tenantId, (tx) => countKeys(tx, backend.id));
    return { ...emptyPreview(backend.name), keys: active + deprecated };
  }
  const look = lookerAt(backend, wanted, { looksAtNames, now });
  const preview = emptyPreview(backend.name);
  let candidates = 0;
  for await (const page of keysToPreview(services.store, tenantId, backend.id))
    for (const [index, key] of page.entries()) {
      if (index % keysATurn === 0) await turn();
      if (key.state === 'active' || key.state === 'deprecated') preview.keys++;
      const seen = look(key);
      for (const effect of seen) note(preview[effect], key.localPath);
      if (seen.some((effect) => losses.has(effect))) candidates++;
    }
  const estimate = await services.store.inTenant(tenantId, (tx) => estimateLossOf(tx, backend.id, now));
  const threshold = { percent: wanted.guard_percent, atLeast: wanted.guard_at_least };
  return { ...preview, would_hold: isMassLoss({ ...estimate, candidates }, threshold) };
}

/**
 * Refuses rules that match none of the keys there are: most often a slip of the pen, by which nothing would be checked. A backend
 * without keys is believed. Throws `rule_unmatched`.
 */
export async function refuseUnmatchedRules(
  services: CoordinationServices,
  request: { tenantId: string; backend: string; settings: Partial<BackendSettings> },
): Promise<void> {
  const { validation_rules = [], lifecycle_rules = [], path_mapping } = request.settings;
  const rules = [
    ...validation_rules.map(({ paths }, place) => ({
      name: `validation_rules[${place}]`,
      globs: paths.map(parseGlob),
    })),
    ...lifecycle_rules.map(({ paths }, place) => ({ name: `lifecycle_rules[${place}]`, globs: paths.map(parseGlob) })),
  ];
  const unmatched = new Set(rules);
  if (unmatched.size === 0) return;
  const backend = await services.store.inTenant(request.tenantId, (tx) => getBackend(tx, request.backend));
  const mapping = path_mapping && parseMapping(path_mapping);
  let any = false;
  for await (const page of keyNames(services.store, request.tenantId, backend.id))
    for (const [index, { remotePath, localPath }] of page.entries()) {
      if (index % keysATurn === 0) await turn();
      any = true;
      const path = mapping ? mapping.toLocal(remotePath) : localPath;
      for (const rule of unmatched) if (matches(rule.globs, path)) unmatched.delete(rule);
      if (unmatched.size === 0) return;
    }
  const [first] = unmatched;
  if (any && first)
    throw new KeyferryError('rule_unmatched', `${first.name} matches none of the keys of "${backend.name}".`);
}

interface LookedAt extends TimedKey {
  remotePath: string;
  kept: boolean;
  missing: boolean;
}

function lookerAt(
  backend: Decisive,
  wanted: Decisive,
  { looksAtNames, now }: { looksAtNames: boolean; now: Date },
): (key: LookedAt) => Effect[] {
  const { mapping, scopeOf } = parseFederation(wanted);
  const scope = scopeOf('sync');
  const [before, after] = [parseLifecycle(backend), parseLifecycle(wanted)];
  const startsDeprecating = wanted.auto_deprecate && !backend.auto_deprecate;
  return (key) => {
    const outside = !scope.includes(key.remotePath) || scope.excludes(key.remotePath);
    const [then, next] = [before.timesOf(key, now), after.timesOf(key, now)];
    const overdue = (at: Date | null) => at !== null && at <= now;
    const archive = shiftOf(then.archiveAt, next.archiveAt, now);
    const purge = shiftOf(then.purgeAt, next.purgeAt, now);
    const served = key.state === 'active' || key.state === 'deprecated';
    return [
      ...(outside && key.state === 'active' && wanted.auto_deprecate && !key.kept ? ['out_of_scope' as const] : []),
      ...(served && looksAtNames && mapping.toLocal(key.remotePath) !== key.localPath ? ['renamed' as const] : []),
      ...(archive ? [`archived_${archive}` as const] : []),
      ...(purge ? [`purged_${purge}` as const] : []),
      ...(startsDeprecating && key.missing && !key.kept ? ['missing' as const] : []),
      ...(overdue(next.rotationDueAt) && !overdue(then.rotationDueAt) ? ['overdue' as const] : []),
    ];
  };
}

function shiftOf(before: Date | null, after: Date | null, now: Date): 'at_once' | 'sooner' | 'later' | null {
  const [from, to] = [before?.getTime() ?? Number.POSITIVE_INFINITY, after?.getTime() ?? Number.POSITIVE_INFINITY];
  if (from === to) return null;
  if (to > from) return 'later';
  return to <= now.getTime() && from > now.getTime() ? 'at_once' : 'sooner';
}

function note(some: SomeKeys, path: string): void {
  some.count++;
  if (some.paths.length < mostPaths) some.paths.push(path);
}

function emptyPreview(backend: string): ChangePreview {
  const none = Object.fromEntries(effects.map((effect): [Effect, SomeKeys] => [effect, { count: 0, paths: [] }]));
  return { ...(none as Record<Effect, SomeKeys>), backend, keys: 0, would_hold: false };
}
