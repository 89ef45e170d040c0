import type {
  AccessMode,
  CacheRule,
  ConflictPolicy,
  CycleTrigger,
  FailureClass,
  FederationMode,
  KeyChange,
  KeyState,
  KeyType,
  LifecycleRule,
  LossCause,
  MappingRule,
  Problem,
  Stage,
  ValidationRule,
  VersionSource,
  WriteMode,
} from '@keyferry/core';
import type { Generated } from 'kysely';
import type {
  AccessRevisionsTable,
  IdentitiesTable,
  KeyCountsTable,
  PoliciesTable,
  TenantsTable,
  TokenIssuersTable,
  TokensTable,
} from './access-tables.ts';
import type { AuditBatchesTable, AuditChainsTable, AuditLogTable } from './audit/audit-tables.ts';
import type { Json, NullableTimestamp, Timestamp } from './column-types.ts';
import type { ConflictsTable, IdempotentRequestsTable, WriteIntentsTable } from './federation-tables.ts';
import type { ChannelsTable, NoticesTable, NotificationRulesTable } from './notification-tables.ts';

/** The tables as Kysely sees them; `schema.sql` is the same as Postgres sees it, and a check holds it to the migrations. */

export interface Database {
  master_keys: { id: string; check_value: Buffer; created_at: Generated<Date> };
  encryption_keys: {
    id: Generated<string>;
    tenant_id: string;
    purpose: 'data' | 'digest';
    master_key_id: string;
    wrapped: Buffer;
    created_at: Generated<Date>;
    retired_at: NullableTimestamp;
    current_from: Generated<Date>;
    destroyed_at: NullableTimestamp;
  };
  tenants: TenantsTable;
  key_counts: KeyCountsTable;
  identities: IdentitiesTable;
  tokens: TokensTable;
  token_issuers: TokenIssuersTable;
  policies: PoliciesTable;
  access_revisions: AccessRevisionsTable;
  backends: BackendsTable;
  holds: {
    id: Generated<string>;
    tenant_id: string;
    backend_id: string;
    cycle_id: string | null;
    kind: Generated<'cycle' | 'removal'>;
    state: Generated<'open' | 'approved' | 'rejected' | 'ended'>;
    candidates: number;
    keys: number;
    opened_at: Timestamp;
    updated_at: Timestamp;
    decided_at: NullableTimestamp;
    decided_by: string | null;
  };
  hold_keys: {
    hold_id: string;
    key_id: string;
    tenant_id: string;
    cause: Generated<LossCause | 'removal'>;
    new_path: string | null;
  };
  keys: KeysTable;
  conflicts: ConflictsTable;
  write_intents: WriteIntentsTable;
  idempotent_requests: IdempotentRequestsTable;
  key_versions: {
    key_id: string;
    version: number;
    tenant_id: string;
    ciphertext: Buffer;
    encryption_key_id: string;
    content_type: string;
    metadata: Json<Record<string, string>>;
    source: VersionSource;
    remote_version: string | null;
    remote_created_at: NullableTimestamp;
    readable_until: NullableTimestamp;
    created_at: Timestamp;
  };
  backups: {
    id: Generated<string>;
    tenant_id: string;
    backend_id: string;
    key_id: string;
    version: number;
    local_path: string;
    remote_path: string;
    type: KeyType;
    ciphertext: Buffer;
    encryption_key_id: string;
    content_type: string;
    metadata: Json<Record<string, string>>;
    reason: string;
    created_at: Timestamp;
    restored_at: NullableTimestamp;
    restored_by: string | null;
  };
  cycles: CyclesTable;
  shards: {
    cycle_id: string;
    number: number;
    tenant_id: string;
    refs: Json<ShardRef[]>;
    all_new: Generated<boolean>;
    state: Generated<'pending' | 'done' | 'failed'>;
    epoch: Generated<number>;
    released: Generated<boolean>;
    dispatch: Generated<number>;
    dispatched_at: Timestamp;
    attempts: Generated<number>;
    counts: Generated<Record<string, number>>;
    calls: Generated<Record<string, number>>;
  };
  candidates: {
    cycle_id: string;
    key_id: string;
    tenant_id: string;
    cause: Generated<LossCause>;
    new_path: string | null;
  };
  failures: {
    id: Generated<string>;
    tenant_id: string;
    backend_id: string;
    cycle_id: string;
    stage: Stage;
    shard: Generated<number>;
    state: 'retrying' | 'failed' | 'replayed' | 'resolved';
    class: FailureClass | null;
    code: string;
    message: string;
    attempts: number;
    first_failed_at: Timestamp;
    last_failed_at: Timestamp;
  };
  cycle_issues: {
    id: Generated<number>;
    tenant_id: string;
    cycle_id: string;
    remote_path: string;
    outcome: string;
    code: string;
    class: string | null;
    message: string;
  };
  key_changes: {
    id: Generated<number>;
    tenant_id: string;
    key_id: string;
    at: Timestamp;
    change: KeyChange;
    from_state: KeyState | null;
    to_state: KeyState | null;
    version: number | null;
    cycle_id: string | null;
    actor: string | null;
    reason: string | null;
  };
  findings: {
    backend_id: string;
    remote_hash: Buffer;
    tenant_id: string;
    remote_path: string;
    rejected: boolean;
    problems: Json<Problem[]>;
    remote_revision: string | null;
    since: Timestamp;
    found_in: string;
  };
  outbox: {
    id: Generated<string>;
    position: Generated<number>;
    tenant_id: string;
    /** Null where it is told of the tenant. */
    backend_id: string | null;
    seq: number;
    type: string;
    data: Json<object>;
    occurred_at: Timestamp;
    delivered_at: NullableTimestamp;
  };
  channels: ChannelsTable;
  notification_rules: NotificationRulesTable;
  notification_cursors: { tenant_id: string; position: number };
  notices: NoticesTable;
  tenant_events: { tenant_id: string; event_seq: number };
  audit_log: AuditLogTable;
  audit_batches: AuditBatchesTable;
  audit_chains: AuditChainsTable;
}

/** The local path is null where the form of the name rules it out; the validate stage takes such refs out. */
/** `facts` is a JSON text of what only the listing showed, which is not the store's business. */
export type ShardRef = [remote: string, local: string | null, facts: string | null];

interface BackendsTable {
  id: string;
  tenant_id: string;
  name: string;
  kind: string;
  config: Json<Record<string, unknown>>;
  credentials: Buffer;
  credentials_key_id: string;
  credentials_version: Generated<number>;
  prefix: string;
  sync_paths: string[];
  exclude_paths: string[];
  path_mapping: Json<MappingRule[]>;
  sync_interval_seconds: number;
  auto_deprecate: boolean;
  backup_deprecated_keys: boolean;
  grace_period_seconds: number;
  retain_archived_seconds: number;
  conflict_policy: Generated<ConflictPolicy>;
  mode: Generated<FederationMode>;
  access_mode: Generated<AccessMode>;
  writes: Generated<WriteMode>;
  state: Generated<'active' | 'paused' | 'removed'>;
  phase: number;
  next_sync_at: Timestamp;
  event_seq: Generated<number>;
  failed_cycles: Generated<number>;
  connection_failures: Generated<number>;
  unreachable_since: NullableTimestamp;
  last_success_at: NullableTimestamp;
  last_full_opened_at: NullableTimestamp;
  latency_ms: number | null;
  server: string | null;
  container_id: string | null;
  max_versions: Generated<number>;
  version_history: Generated<boolean>;
  credential_paths: Generated<string[]>;
  /** Raised when what was cached of its keys must not be served any more. */
  flush_generation: Generated<number>;
  validation_rules: Json<ValidationRule[]>;
  lifecycle_rules: Json<LifecycleRule[]>;
  rotation_overlap_seconds: Generated<number>;
  archive_reminders: Generated<number[]>;
  expiry_reminders: Generated<number[]>;
  guard_percent: Generated<number>;
  guard_at_least: Generated<number>;
  times_current: Generated<boolean>;
  names_current: Generated<boolean>;
  required: Generated<boolean>;
  cache_ttl_seconds: Generated<number>;
  max_stale_seconds: Generated<number>;
  cache_rules: Json<CacheRule[]>;
  write_seq: Generated<number>;
  scope_current: Generated<boolean>;
  created_at: Timestamp;
  updated_at: Timestamp;
}

interface KeysTable {
  id: Generated<string>;
  tenant_id: string;
  backend_id: string;
  remote_path: string;
  remote_hash: Buffer;
  local_path: string;
  type: KeyType;
  state: KeyState;
  revoked: Generated<boolean>;
  row_version: Generated<number>;
  version: number;
  content_type: string;
  metadata: Json<Record<string, string>>;
  remote_version: string | null;
  remote_revision: string | null;
  remote_created_at: NullableTimestamp;
  base_digest: Buffer;
  local_digest: Buffer;
  remote_digest: Buffer;
  digest_key_id: string;
  owned: Generated<boolean>;
  owned_for: string | null;
  tombstone: Generated<boolean>;
  write_seq: Generated<number>;
  expires_at: NullableTimestamp;
  state_changed_at: Timestamp;
  deprecated_at: NullableTimestamp;
  hold_id: string | null;
  archive_at: NullableTimestamp;
  purge_at: NullableTimestamp;
  archive_reminder_at: NullableTimestamp;
  expiry_reminder_at: NullableTimestamp;
  rotation_due_at: NullableTimestamp;
  rotation_told: Generated<boolean>;
  value_at: NullableTimestamp;
  rolled_back: Generated<boolean>;
  missing_since: NullableTimestamp;
  kept: Generated<boolean>;
  deprecated_for: 'absent' | 'out_of_scope' | null;
  created_in: string | null;
  last_seen_at: Timestamp;
  created_at: Timestamp;
  updated_at: Timestamp;
}

interface CyclesTable {
  id: Generated<string>;
  tenant_id: string;
  backend_id: string;
  scope: 'full' | 'narrowed';
  trigger: CycleTrigger;
  requested_by: string | null;
  replay_of: string | null;
  state: Generated<'open' | 'completed' | 'failed'>;
  stage: Generated<Stage>;
  epoch: Generated<number>;
  dispatch: Generated<number>;
  dispatched_at: Timestamp;
  attempts: Generated<number>;
  listing_complete: Generated<boolean>;
  container_proven: Generated<boolean>;
  paths_clear_under: Generated<string | null>;
  shards_total: Generated<number>;
  shards_left: Generated<number>;
  counts: Generated<Record<string, number>>;
  calls: Generated<Record<string, number>>;
  issues: Generated<number>;
  error_class: string | null;
  error_code: string | null;
  error_message: string | null;
  opened_at: Timestamp;
  closed_at: NullableTimestamp;
}
