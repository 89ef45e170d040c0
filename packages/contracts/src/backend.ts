import { isObject, writeModes } from '@keyferry/core';
import { z } from 'zod';
import { connectionFields } from './connection.ts';
import { accessMode, cacheRules, cacheTtl, conflictPolicy, maxStale, required, writes } from './federation.ts';
import {
  backendName,
  durationBetween,
  excludePaths,
  federationMode,
  pathMapping,
  prefix,
  syncPaths,
  timestamp,
} from './fields.ts';
import { holdAnswer } from './hold.ts';
import { gracePeriod, lifecycleRules, reminders, retainArchived, rotationOverlap } from './lifecycle.ts';
import { validationRules } from './validation-rules.ts';

/** A vault's kind as the registry of vaults describes it. */
export interface BackendKind {
  kind: string;
  label: string;
  /** Of the vault's own settings, with everything secret under `auth`. */
  configSchema: z.ZodType;
}

const settings = {
  name: backendName,
  prefix,
  sync_paths: syncPaths,
  exclude_paths: excludePaths,
  path_mapping: pathMapping,
  mode: federationMode,
  access_mode: accessMode,
  writes,
  conflict_policy: conflictPolicy,
  required,
  cache_ttl: cacheTtl,
  max_stale: maxStale,
  cache_rules: cacheRules,
  sync_interval: durationBetween('5s', '7d'),
  auto_deprecate: z.boolean().describe('Deprecate keys whose absence from the vault was proven.'),
  backup_deprecated_keys: z.boolean().describe('Keep an encrypted backup of what is deprecated.'),
  grace_period: gracePeriod,
  retain_archived: retainArchived,
  rotation_overlap: rotationOverlap,
  lifecycle_rules: lifecycleRules,
  archive_reminders: reminders('a deprecated key is archived'),
  expiry_reminders: reminders('a key expires'),
  validation_rules: validationRules,
  guard_percent: z
    .int()
    .min(1)
    .max(50)
    .describe('Over this share of its keys, and at least guard_at_least, a person has to say that they may go.'),
  guard_at_least: z.int().min(2).max(1_000_000).describe('Fewer keys than this may go, if they are no more than half.'),
  max_versions: z.int().min(1).max(100).describe('How many versions of a value are kept.'),
  version_history: z
    .boolean()
    .describe('Carry versions that the vault made before they were seen here as well, at the price of a call each.'),
  state: z.enum(['active', 'paused']).describe('A paused backend is not synced; its keys are served.'),
};

const config = z.custom<Record<string, unknown>>(isObject, 'must be an object');

/**
 * A vault's own settings. They are documented by the kind's schema and checked against it once their references are
 * resolved, so here they may be any object.
 */
function configOf(kind: BackendKind) {
  const {
    $schema: _,
    properties,
    ...schema
  } = z.toJSONSchema(kind.configSchema, { io: 'input', unrepresentable: 'any' });
  const common = z.toJSONSchema(z.object(connectionFields), { io: 'input' });
  return config.meta({
    ...schema,
    properties: { ...properties, ...common.properties },
    description: `Settings of ${kind.label}. Strings under auth may be references.`,
  });
}

function inputOf(kind: BackendKind) {
  return z.strictObject({
    ...settings,
    kind: z.literal(kind.kind),
    config: configOf(kind),
    prefix: settings.prefix.optional().describe('By default bifrost.'),
    sync_paths: settings.sync_paths
      .optional()
      .describe('By default what path_mapping names, or else everything below the prefix.'),
    exclude_paths: settings.exclude_paths.default([]),
    path_mapping: settings.path_mapping.default([]),
    mode: settings.mode.default('sync'),
    access_mode: settings.access_mode.default('read_only'),
    writes: settings.writes.default('disabled'),
    conflict_policy: settings.conflict_policy.default('backend_wins'),
    required: settings.required.default(false),
    cache_ttl: settings.cache_ttl.default('0s'),
    max_stale: settings.max_stale.default('1h'),
    cache_rules: settings.cache_rules.default([]),
    sync_interval: settings.sync_interval.default('300s'),
    auto_deprecate: settings.auto_deprecate.default(true),
    backup_deprecated_keys: settings.backup_deprecated_keys.default(true),
    grace_period: settings.grace_period.default('24h'),
    retain_archived: settings.retain_archived.default('90d'),
    rotation_overlap: settings.rotation_overlap.default('0s'),
    lifecycle_rules: settings.lifecycle_rules.default([]),
    archive_reminders: settings.archive_reminders.default(['7d', '1d', '1h']),
    expiry_reminders: settings.expiry_reminders.default(['30d', '7d', '1d']),
    validation_rules: settings.validation_rules.default([]),
    guard_percent: settings.guard_percent.default(20),
    guard_at_least: settings.guard_at_least.default(10),
    max_versions: settings.max_versions.default(10),
    version_history: settings.version_history.default(false),
    state: settings.state.default('active'),
  });
}

/** What registers a backend: one shape for each kind of vault, told apart by `kind`. */
export function backendInput(kinds: readonly BackendKind[]) {
  type Input = ReturnType<typeof inputOf>;
  const names = kinds.map(({ kind }) => kind).join(', ');
  return z
    .discriminatedUnion('kind', kinds.map(inputOf) as [Input, ...Input[]], {
      error: (issue) => (issue.code === 'invalid_union' ? `must be one of the kinds ${names}` : 'must be an object'),
    })
    .transform((input) => {
      const { prefix = 'bifrost', path_mapping } = input;
      // Whoever maps paths, and says nothing else, has said which.
      const named = input.prefix === undefined && path_mapping.length > 0 ? path_mapping.map(({ to }) => to) : null;
      return { ...input, prefix, sync_paths: input.sync_paths ?? named ?? [`${prefix}/*`] };
    });
}
/** As it is sent. */
export type BackendRequest = z.input<ReturnType<typeof backendInput>>;
/** As it is after defaults. */
export type BackendInput = z.output<ReturnType<typeof backendInput>>;

/** What changes a backend: whatever is given; the rest stays. Its kind is for good. */
export const backendPatch = z
  .strictObject({
    ...settings,
    config: config.meta({
      type: 'object',
      description: 'Members replace those of the same name; null removes one; auth is replaced as a whole.',
    }),
    accept_container: z
      .literal(true)
      .describe(
        'Takes the container that the vault shows next for the backend’s own, though it is another one than before.',
      ),
  })
  .exactPartial()
  .refine((patch) => Object.keys(patch).length > 0, 'must name at least one setting')
  .meta({ id: 'BackendPatch' });
export type BackendPatch = z.output<typeof backendPatch>;

/** A backend as it is shown: its settings without credentials. */
export const backendAnswer = z
  .object({
    id: z.uuid(),
    kind: z.string(),
    mode: settings.mode,
    access_mode: settings.access_mode,
    writes: z.enum(writeModes),
    conflict_policy: settings.conflict_policy,
    required: z.boolean(),
    cache_ttl: z.string(),
    max_stale: z.string(),
    cache_rules: settings.cache_rules,
    config: z.record(z.string(), z.unknown()).describe('The vault’s own settings, without auth.'),
    name: z.string(),
    prefix: z.string(),
    sync_paths: z.array(z.string()),
    exclude_paths: z.array(z.string()),
    path_mapping: z.array(z.object({ from: z.string(), to: z.string(), mode: federationMode.exactOptional() })),
    sync_interval: z.string(),
    auto_deprecate: z.boolean(),
    backup_deprecated_keys: z.boolean(),
    grace_period: z.string(),
    retain_archived: z.string(),
    rotation_overlap: z.string(),
    lifecycle_rules: settings.lifecycle_rules,
    archive_reminders: z.array(z.string()),
    expiry_reminders: z.array(z.string()),
    validation_rules: z.array(z.record(z.string(), z.unknown())).describe('As they were given.'),
    guard_percent: z.number().int(),
    guard_at_least: z.number().int(),
    max_versions: z.number().int(),
    version_history: z.boolean(),
    state: settings.state,
    next_sync: timestamp.nullable(),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'Backend' });
export type BackendAnswer = z.output<typeof backendAnswer>;

export const backendList = z.object({ items: z.array(backendAnswer) });
export type BackendList = z.output<typeof backendList>;

const dryRun = z.enum(['true', 'false']).default('false').describe('Say what it would do, and change nothing.');

export const backendChange = z.strictObject({ dry_run: dryRun });

const someKeys = z.object({
  count: z.number().int(),
  paths: z.array(z.string()).describe('Local paths of some of them.'),
});

/** What a change of settings would do to the keys there are. */
export const backendPreview = z
  .object({
    backend: z.string(),
    keys: z.number().int().describe('Active and deprecated keys.'),
    out_of_scope: someKeys.describe('Would be left out, and so deprecated by the next cycle.'),
    renamed: someKeys.describe('Would get another local path.'),
    would_hold: z.boolean().describe('So many that the guard would hold them back until a person says so.'),
    archived_at_once: someKeys.describe('Their grace would be over.'),
    purged_at_once: someKeys.describe('Their retention would be over: values gone for good.'),
    archived_sooner: someKeys,
    archived_later: someKeys.describe('Never included, where auto_deprecate is off.'),
    purged_sooner: someKeys,
    purged_later: someKeys,
    missing: someKeys.describe('Would be deprecated by the next cycle, since auto_deprecate would be on.'),
    overdue: someKeys.describe('Would be reported as overdue for rotation.'),
  })
  .meta({ id: 'BackendPreview' });
export type BackendPreview = z.output<typeof backendPreview>;

export const backendRemoval = z.strictObject({
  archive_keys: z
    .enum(['true', 'false'])
    .default('false')
    .describe('Archive the backend’s live keys. Without it a backend that has some is not removed.'),
  dry_run: dryRun,
});

export const backendRemoved = z.object({ id: z.uuid(), name: z.string(), archived_keys: z.number().int() });
export type BackendRemoved = z.output<typeof backendRemoved>;

export const removalPreview = z.object({ backend: z.string(), live_keys: z.number().int(), would_hold: z.boolean() });
export type RemovalPreview = z.output<typeof removalPreview>;

/** Its keys are so many that somebody has to approve this before it is removed. */
export const removalHeld = z.object({ held: holdAnswer });
export type RemovalHeld = z.output<typeof removalHeld>;
