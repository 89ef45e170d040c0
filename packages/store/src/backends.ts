import { randomUUID } from 'node:crypto';
import {
  type AccessMode,
  type CacheRule,
  type ConflictPolicy,
  type FederationMode,
  KeyferryError,
  type LifecycleSettings,
  type MappingRule,
  phaseOf,
  type ValidationRule,
  type WriteMode,
} from '@keyferry/core';
import { type Selectable, sql } from 'kysely';
import { codeOf, type Tx } from './database.ts';
import { credentialsBinding } from './encryption/bindings.ts';
import type { TenantKeys } from './encryption/tenant-keys.ts';
import { columnOf } from './id-or-name.ts';
import type { Database } from './schema.ts';
import { refuseBackendBeyondLimit } from './tenant-standing.ts';

export type Backend = Omit<Selectable<Database['backends']>, 'credentials' | 'credentials_key_id' | 'flush_generation'>;

/** What a person sets. `auth` is encrypted and never shown. */
export interface BackendSettings extends LifecycleSettings {
  name: string;
  kind: string;
  config: Record<string, unknown>;
  auth: Record<string, unknown>;
  prefix: string;
  sync_paths: string[];
  exclude_paths: string[];
  path_mapping: MappingRule[];
  sync_interval_seconds: number;
  backup_deprecated_keys: boolean;
  validation_rules: ValidationRule[];
  guard_percent: number;
  guard_at_least: number;
  mode: FederationMode;
  access_mode: AccessMode;
  writes: WriteMode;
  required: boolean;
  cache_ttl_seconds: number;
  max_stale_seconds: number;
  cache_rules: CacheRule[];
  conflict_policy: ConflictPolicy;
  max_versions: number;
  version_history: boolean;
  /** Local paths of keys that `config` and `auth` refer to. */
  credential_paths: string[];
  state: 'active' | 'paused';
}

/** What is read of a backend: all but its credentials. */
export const shownBackend = [
  'id',
  'tenant_id',
  'name',
  'kind',
  'config',
  'credentials_version',
  'prefix',
  'sync_paths',
  'exclude_paths',
  'path_mapping',
  'sync_interval_seconds',
  'auto_deprecate',
  'backup_deprecated_keys',
  'grace_period_seconds',
  'retain_archived_seconds',
  'conflict_policy',
  'mode',
  'access_mode',
  'writes',
  'required',
  'cache_ttl_seconds',
  'max_stale_seconds',
  'cache_rules',
  'write_seq',
  'scope_current',
  'state',
  'phase',
  'next_sync_at',
  'event_seq',
  'failed_cycles',
  'connection_failures',
  'unreachable_since',
  'last_success_at',
  'last_full_opened_at',
  'latency_ms',
  'server',
  'container_id',
  'max_versions',
  'version_history',
  'credential_paths',
  'validation_rules',
  'lifecycle_rules',
  'rotation_overlap_seconds',
  'archive_reminders',
  'expiry_reminders',
  'guard_percent',
  'guard_at_least',
  'times_current',
  'names_current',
  'created_at',
  'updated_at',
] as const;

/** Members of `config` that say nothing of where the container is. */
const sameContainer = sql`'{credentials_path,calls_per_second,parallelism}'::text[]`;

/** Registers a backend, due at once. Throws `backend_exists` or `tenant_limit_reached`. */
export async function createBackend(
  tx: Tx,
  input: { tenantId: string; id?: string; settings: BackendSettings; keys: TenantKeys; now: Date },
): Promise<Backend> {
  const { tenantId, keys, now } = input;
  const { auth, ...settings } = input.settings;
  const id = input.id ?? randomUUID();
  await refuseBackendBeyondLimit(tx);
  return (await refusingDuplicates(settings.name, () =>
    tx
      .insertInto('backends')
      .values({
        ...settings,
        ...sealedAuth(tenantId, id, auth, keys),
        id,
        tenant_id: tenantId,
        config: JSON.stringify(settings.config),
        path_mapping: JSON.stringify(settings.path_mapping),
        validation_rules: JSON.stringify(settings.validation_rules),
        lifecycle_rules: JSON.stringify(settings.lifecycle_rules),
        cache_rules: JSON.stringify(settings.cache_rules),
        scope_current: false,
        phase: phaseOf(id),
        next_sync_at: now,
        created_at: now,
        updated_at: now,
      })
      .returning(shownBackend)
      .executeTakeFirstOrThrow(),
  )) as Backend;
}

/** Changes what is given, and leaves the rest. An active backend is due at once, so that the change is seen. */
export async function updateBackend(
  tx: Tx,
  input: { tenantId: string; id: string; settings: Partial<BackendSettings>; keys: TenantKeys; now: Date },
): Promise<Backend> {
  const { auth, config, path_mapping, validation_rules, lifecycle_rules, cache_rules, ...rest } = input.settings;
  const row = await refusingDuplicates(rest.name ?? '', () =>
    tx
      .updateTable('backends')
      .set({
        ...rest,
        // Settings that may name another container: if it is another one, then on purpose.
        ...(config && {
          config: JSON.stringify(config),
          container_id: sql`CASE WHEN config - ${sameContainer} = ${JSON.stringify(config)}::jsonb - ${sameContainer}
            THEN container_id END`,
        }),
        // Keys that have other names under it are renamed by the next cycle, if the guard lets them.
        ...(path_mapping && { path_mapping: JSON.stringify(path_mapping), names_current: false }),
        ...(validation_rules && { validation_rules: JSON.stringify(validation_rules) }),
        ...(lifecycle_rules && { lifecycle_rules: JSON.stringify(lifecycle_rules) }),
        ...(cache_rules && { cache_rules: JSON.stringify(cache_rules) }),
        ...(changesScope(input.settings) && { scope_current: false }),
        ...(changesTimes(input.settings) && { times_current: false }),
        ...(auth && {
          ...sealedAuth(input.tenantId, input.id, auth, input.keys),
          credentials_version: sql`credentials_version + 1`,
        }),
        next_sync_at: input.now,
        updated_at: input.now,
      })
      .where('id', '=', input.id)
      .where('state', '<>', 'removed')
      .returning(shownBackend)
      .executeTakeFirst(),
  );
  if (!row) throw unknownBackend(input.id);
  return row as Backend;
}

/** Whether what is stored may not yet be what is to be stored. */
function changesScope(settings: Partial<BackendSettings>): boolean {
  const deciding = ['mode', 'path_mapping', 'sync_paths', 'exclude_paths', 'config'] as const;
  return deciding.some((member) => settings[member] !== undefined);
}

/** Whether times that were reckoned for keys by the settings before no longer hold. */
function changesTimes(settings: Partial<BackendSettings>): boolean {
  const deciding: (keyof LifecycleSettings)[] = [
    'auto_deprecate',
    'grace_period_seconds',
    'retain_archived_seconds',
    'lifecycle_rules',
    'archive_reminders',
    'expiry_reminders',
  ];
  return deciding.some((member) => settings[member] !== undefined);
}

export async function listBackends(tx: Tx, filter: { removedToo?: boolean } = {}): Promise<Backend[]> {
  let query = tx.selectFrom('backends').select(shownBackend).orderBy('name');
  if (!filter.removedToo) query = query.where('state', '<>', 'removed');
  return await query.execute();
}

/** Names of all backends by id, removed ones too. */
export async function backendNames(tx: Tx): Promise<Map<string, string>> {
  const rows = await tx.selectFrom('backends').select(['id', 'name']).execute();
  return new Map(rows.map(({ id, name }) => [id, name]));
}

/** The backends of these ids, removed ones too. */
export async function backendsById(tx: Tx, ids: Iterable<string>): Promise<Map<string, Backend>> {
  const rows = await tx
    .selectFrom('backends')
    .select(shownBackend)
    .where('id', '=', sql<string>`ANY(${[...new Set(ids)]}::uuid[])`)
    .orderBy('id')
    .execute();
  return new Map(rows.map((backend) => [backend.id, backend]));
}

/** By id or by name. Throws `backend_not_found`. */
export async function getBackend(tx: Tx, idOrName: string): Promise<Backend> {
  const row = await tx
    .selectFrom('backends')
    .select(shownBackend)
    .where(columnOf(idOrName), '=', idOrName)
    .where('state', '<>', 'removed')
    .executeTakeFirst();
  if (!row) throw unknownBackend(idOrName);
  return row;
}

/** The backend's settings with its credentials in clear, as its vault's schema takes them. */
export async function openSettings(tx: Tx, id: string, keys: TenantKeys): Promise<Record<string, unknown>> {
  const row = await tx
    .selectFrom('backends')
    .select(['tenant_id', 'config', 'credentials', 'credentials_key_id'])
    .where('id', '=', id)
    .executeTakeFirst();
  if (!row) throw unknownBackend(id);
  const sealed = { ciphertext: row.credentials, encryptionKeyId: row.credentials_key_id };
  const auth: unknown = JSON.parse((await keys.unseal(sealed, credentialsBinding(row.tenant_id, id))).toString('utf8'));
  return { ...row.config, auth };
}

/** Lets the container that the vault shows next be the backend's, though it may be another one than before. */
export async function forgetContainer(tx: Tx, id: string): Promise<Backend> {
  const row = await tx
    .updateTable('backends')
    .set({ container_id: null })
    .where('id', '=', id)
    .returning(shownBackend)
    .executeTakeFirst();
  if (!row) throw unknownBackend(id);
  return row as Backend;
}

/** Keeps backends' rows, in one order, until the transaction ends. */
export async function lockBackends(tx: Tx, ids: readonly string[]): Promise<void> {
  await sql`SELECT FROM backends WHERE id = ANY(${ids}::uuid[]) ORDER BY id FOR NO KEY UPDATE`.execute(tx);
}

/** Makes a backend due, also if a cycle that is open ends after this. */
export async function makeDue(tx: Tx, id: string, now: Date): Promise<void> {
  await tx.updateTable('backends').set({ next_sync_at: now, updated_at: now }).where('id', '=', id).execute();
}

/** From now on nobody may serve what was cached of these backends' keys before. */
export async function flushBackends(tx: Tx, ids: readonly string[]): Promise<void> {
  await sql`UPDATE backends SET flush_generation = flush_generation + 1
    WHERE id IN (SELECT id FROM backends WHERE id = ANY(${ids}::uuid[]) ORDER BY id FOR UPDATE)`.execute(tx);
}

function sealedAuth(tenantId: string, id: string, auth: Record<string, unknown>, keys: TenantKeys) {
  const sealed = keys.seal(Buffer.from(JSON.stringify(auth), 'utf8'), credentialsBinding(tenantId, id));
  return { credentials: sealed.ciphertext, credentials_key_id: sealed.encryptionKeyId };
}

function unknownBackend(idOrName: string): KeyferryError {
  return new KeyferryError('backend_not_found', `There is no backend "${idOrName}".`);
}

async function refusingDuplicates<T>(name: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (codeOf(error) === '23505')
      throw new KeyferryError('backend_exists', `There is a backend named "${name}" already.`);
    throw error;
  }
}
