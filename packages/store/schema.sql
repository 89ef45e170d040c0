-- What the migrations make, for reading and for review. Written by `npm run schema -- --write`, never by hand.

CREATE ROLE keyferry_app NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
CREATE ROLE keyferry_dispatcher NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;

GRANT USAGE ON SCHEMA keyferry TO keyferry_app;
GRANT USAGE ON SCHEMA keyferry TO keyferry_dispatcher;

CREATE TABLE keyferry.access_revisions (
  tenant_id uuid NOT NULL,
  revision bigint DEFAULT 0 NOT NULL,
  CONSTRAINT access_revisions_pkey PRIMARY KEY (tenant_id),
  CONSTRAINT access_revisions_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES keyferry.tenants(id)
);
ALTER TABLE keyferry.access_revisions ENABLE ROW LEVEL SECURITY;
ALTER TABLE keyferry.access_revisions FORCE ROW LEVEL SECURITY;
CREATE POLICY dispatch ON keyferry.access_revisions FOR SELECT TO keyferry_dispatcher USING (true);
CREATE POLICY tenant ON keyferry.access_revisions TO keyferry_app USING ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant)));
GRANT DELETE, INSERT, SELECT, UPDATE ON keyferry.access_revisions TO keyferry_app;
GRANT SELECT (tenant_id, revision) ON keyferry.access_revisions TO keyferry_dispatcher;

CREATE TABLE keyferry.audit_batches (
  tenant_id uuid NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
  rows integer NOT NULL,
  at timestamp with time zone NOT NULL,
  last_at timestamp with time zone NOT NULL,
  number bigint,
  digest bytea,
  hash bytea,
  sealed_at timestamp with time zone,
  CONSTRAINT audit_batches_pkey PRIMARY KEY (tenant_id, id),
  CONSTRAINT audit_batches_check CHECK ((last_at >= at)),
  CONSTRAINT audit_batches_check1 CHECK ((num_nulls(number, digest, hash, sealed_at) = ANY (ARRAY[0, 4]))),
  CONSTRAINT audit_batches_number_check CHECK ((number > 0)),
  CONSTRAINT audit_batches_rows_check CHECK ((rows > 0))
);
ALTER TABLE keyferry.audit_batches ENABLE ROW LEVEL SECURITY;
ALTER TABLE keyferry.audit_batches FORCE ROW LEVEL SECURITY;
CREATE UNIQUE INDEX audit_batches_chain ON keyferry.audit_batches USING btree (tenant_id, number) WHERE (number IS NOT NULL);
CREATE INDEX audit_batches_last_at ON keyferry.audit_batches USING btree (tenant_id, last_at);
CREATE INDEX audit_batches_unsealed ON keyferry.audit_batches USING btree (tenant_id, id) WHERE (number IS NULL);
CREATE POLICY dispatch ON keyferry.audit_batches FOR SELECT TO keyferry_dispatcher USING (true);
CREATE POLICY prune ON keyferry.audit_batches FOR DELETE TO keyferry_dispatcher USING ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant)));
CREATE POLICY sealed_once ON keyferry.audit_batches AS RESTRICTIVE FOR UPDATE TO keyferry_app USING ((number IS NULL)) WITH CHECK ((number IS NOT NULL));
CREATE POLICY tenant ON keyferry.audit_batches TO keyferry_app USING ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant)));
CREATE POLICY written_unsealed ON keyferry.audit_batches AS RESTRICTIVE FOR INSERT TO keyferry_app WITH CHECK ((number IS NULL));
GRANT INSERT, SELECT ON keyferry.audit_batches TO keyferry_app;
GRANT UPDATE (number, digest, hash, sealed_at) ON keyferry.audit_batches TO keyferry_app;
GRANT DELETE ON keyferry.audit_batches TO keyferry_dispatcher;
GRANT SELECT (tenant_id, id, last_at, number, hash) ON keyferry.audit_batches TO keyferry_dispatcher;

CREATE TABLE keyferry.audit_chains (
  tenant_id uuid NOT NULL,
  pruned_number bigint DEFAULT 0 NOT NULL,
  pruned_hash bytea DEFAULT decode(repeat('00'::text, 32), 'hex'::text) NOT NULL,
  head_number bigint DEFAULT 0 NOT NULL,
  head_hash bytea DEFAULT decode(repeat('00'::text, 32), 'hex'::text) NOT NULL,
  anchored_number bigint DEFAULT 0 NOT NULL,
  anchored_at timestamp with time zone,
  retention_seconds bigint DEFAULT (365 * 86400) NOT NULL,
  CONSTRAINT audit_chains_pkey PRIMARY KEY (tenant_id),
  CONSTRAINT audit_chains_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES keyferry.tenants(id),
  CONSTRAINT audit_chains_retention_seconds_check CHECK ((retention_seconds >= 86400))
);
ALTER TABLE keyferry.audit_chains ENABLE ROW LEVEL SECURITY;
ALTER TABLE keyferry.audit_chains FORCE ROW LEVEL SECURITY;
CREATE POLICY dispatch ON keyferry.audit_chains FOR SELECT TO keyferry_dispatcher USING (true);
CREATE POLICY prune ON keyferry.audit_chains TO keyferry_dispatcher USING ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant)));
CREATE POLICY tenant ON keyferry.audit_chains TO keyferry_app USING ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant)));
GRANT INSERT, SELECT ON keyferry.audit_chains TO keyferry_app;
GRANT UPDATE (head_number, head_hash, anchored_number, anchored_at, retention_seconds) ON keyferry.audit_chains TO keyferry_app;
GRANT SELECT (tenant_id, pruned_number, head_number, anchored_number, anchored_at, retention_seconds) ON keyferry.audit_chains TO keyferry_dispatcher;
GRANT UPDATE (pruned_number, pruned_hash) ON keyferry.audit_chains TO keyferry_dispatcher;

CREATE TABLE keyferry.audit_log (
  tenant_id uuid NOT NULL,
  batch bigint NOT NULL,
  at timestamp with time zone NOT NULL,
  place integer NOT NULL,
  outcome text NOT NULL,
  actor text NOT NULL,
  action text NOT NULL,
  target text NOT NULL,
  request_id uuid,
  address text,
  details jsonb DEFAULT '{}'::jsonb NOT NULL,
  CONSTRAINT audit_log_pkey PRIMARY KEY (batch, place),
  CONSTRAINT audit_log_outcome_check CHECK ((outcome = ANY (ARRAY['done'::text, 'read'::text, 'refused'::text, 'failed'::text])))
);
ALTER TABLE keyferry.audit_log ENABLE ROW LEVEL SECURITY;
ALTER TABLE keyferry.audit_log FORCE ROW LEVEL SECURITY;
CREATE INDEX audit_log_blocks ON keyferry.audit_log USING brin (at, target text_bloom_ops, actor text_bloom_ops, request_id uuid_bloom_ops) WITH (pages_per_range='64', autosummarize='on');
CREATE INDEX audit_log_pruned ON keyferry.audit_log USING btree (tenant_id) WHERE (action = 'audit.pruned'::text);
CREATE INDEX audit_log_purged_key ON keyferry.audit_log USING btree (tenant_id, ((details ->> 'key_id'::text))) WHERE (action = 'key.purged'::text);
CREATE INDEX audit_log_purged_path ON keyferry.audit_log USING btree (tenant_id, target) WHERE (action = 'key.purged'::text);
CREATE POLICY prune ON keyferry.audit_log TO keyferry_dispatcher USING ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant)));
CREATE POLICY tenant ON keyferry.audit_log TO keyferry_app USING ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant)));
GRANT INSERT, SELECT ON keyferry.audit_log TO keyferry_app;
GRANT DELETE ON keyferry.audit_log TO keyferry_dispatcher;
GRANT SELECT (tenant_id, batch) ON keyferry.audit_log TO keyferry_dispatcher;

CREATE TABLE keyferry.backends (
  id uuid DEFAULT gen_random_uuid() NOT NULL,
  tenant_id uuid NOT NULL,
  name text NOT NULL,
  kind text NOT NULL,
  config jsonb NOT NULL,
  credentials bytea NOT NULL,
  credentials_key_id uuid NOT NULL,
  credentials_version integer DEFAULT 1 NOT NULL,
  prefix text NOT NULL,
  sync_paths text[] NOT NULL,
  exclude_paths text[] NOT NULL,
  path_mapping jsonb NOT NULL,
  sync_interval_seconds integer NOT NULL,
  auto_deprecate boolean NOT NULL,
  backup_deprecated_keys boolean NOT NULL,
  grace_period_seconds integer NOT NULL,
  retain_archived_seconds integer NOT NULL,
  mode text DEFAULT 'sync'::text NOT NULL,
  access_mode text DEFAULT 'read_only'::text NOT NULL,
  writes text DEFAULT 'disabled'::text NOT NULL,
  conflict_policy text DEFAULT 'backend_wins'::text NOT NULL,
  state text DEFAULT 'active'::text NOT NULL,
  phase integer NOT NULL,
  next_sync_at timestamp with time zone NOT NULL,
  event_seq bigint DEFAULT 0 NOT NULL,
  flush_generation bigint DEFAULT 0 NOT NULL,
  failed_cycles integer DEFAULT 0 NOT NULL,
  connection_failures integer DEFAULT 0 NOT NULL,
  unreachable_since timestamp with time zone,
  last_success_at timestamp with time zone,
  last_full_opened_at timestamp with time zone,
  latency_ms integer,
  server text,
  created_at timestamp with time zone NOT NULL,
  updated_at timestamp with time zone NOT NULL,
  container_id text,
  max_versions integer DEFAULT 10 NOT NULL,
  version_history boolean DEFAULT false NOT NULL,
  credential_paths text[] DEFAULT '{}'::text[] NOT NULL,
  validation_rules jsonb DEFAULT '[]'::jsonb NOT NULL,
  lifecycle_rules jsonb DEFAULT '[]'::jsonb NOT NULL,
  rotation_overlap_seconds integer DEFAULT 0 NOT NULL,
  archive_reminders integer[] DEFAULT '{604800,86400,3600}'::integer[] NOT NULL,
  expiry_reminders integer[] DEFAULT '{2592000,604800,86400}'::integer[] NOT NULL,
  guard_percent integer DEFAULT 20 NOT NULL,
  guard_at_least integer DEFAULT 10 NOT NULL,
  times_current boolean DEFAULT false NOT NULL,
  names_current boolean DEFAULT true NOT NULL,
  required boolean DEFAULT false NOT NULL,
  cache_ttl_seconds integer DEFAULT 0 NOT NULL,
  max_stale_seconds integer DEFAULT 3600 NOT NULL,
  cache_rules jsonb DEFAULT '[]'::jsonb NOT NULL,
  write_seq bigint DEFAULT 0 NOT NULL,
  scope_current boolean DEFAULT true NOT NULL,
  CONSTRAINT backends_pkey PRIMARY KEY (id),
  CONSTRAINT backends_tenant_id_id_key UNIQUE (tenant_id, id),
  CONSTRAINT backends_tenant_id_credentials_key_id_fkey FOREIGN KEY (tenant_id, credentials_key_id) REFERENCES keyferry.encryption_keys(tenant_id, id),
  CONSTRAINT backends_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES keyferry.tenants(id),
  CONSTRAINT backends_access_mode_check CHECK ((access_mode = ANY (ARRAY['read_only'::text, 'read_and_write'::text]))),
  CONSTRAINT backends_cache_ttl_seconds_check CHECK ((cache_ttl_seconds >= 0)),
  CONSTRAINT backends_conflict_policy_check CHECK ((conflict_policy = ANY (ARRAY['backend_wins'::text, 'local_wins'::text, 'manual'::text]))),
  CONSTRAINT backends_grace_period_seconds_check CHECK ((grace_period_seconds > 0)),
  CONSTRAINT backends_guard_at_least_check CHECK ((guard_at_least >= 2)),
  CONSTRAINT backends_guard_percent_check CHECK (((guard_percent >= 1) AND (guard_percent <= 50))),
  CONSTRAINT backends_max_stale_seconds_check CHECK ((max_stale_seconds >= 0)),
  CONSTRAINT backends_max_versions_check CHECK (((max_versions >= 1) AND (max_versions <= 100))),
  CONSTRAINT backends_mode_check CHECK ((mode = ANY (ARRAY['proxy'::text, 'sync'::text]))),
  CONSTRAINT backends_retain_archived_seconds_check CHECK ((retain_archived_seconds > 0)),
  CONSTRAINT backends_rotation_overlap_seconds_check CHECK ((rotation_overlap_seconds >= 0)),
  CONSTRAINT backends_state_check CHECK ((state = ANY (ARRAY['active'::text, 'paused'::text, 'removed'::text]))),
  CONSTRAINT backends_sync_interval_seconds_check CHECK (((sync_interval_seconds >= 5) AND (sync_interval_seconds <= 604800))),
  CONSTRAINT backends_write_through_check CHECK (((writes <> 'write_through'::text) OR (access_mode = 'read_and_write'::text))),
  CONSTRAINT backends_writes_check CHECK ((writes = ANY (ARRAY['disabled'::text, 'local'::text, 'write_through'::text])))
);
ALTER TABLE keyferry.backends ENABLE ROW LEVEL SECURITY;
ALTER TABLE keyferry.backends FORCE ROW LEVEL SECURITY;
CREATE INDEX backends_due ON keyferry.backends USING btree (next_sync_at) WHERE (state = 'active'::text);
CREATE UNIQUE INDEX backends_name ON keyferry.backends USING btree (tenant_id, name) WHERE (state <> 'removed'::text);
CREATE POLICY dispatch ON keyferry.backends FOR SELECT TO keyferry_dispatcher USING (true);
CREATE POLICY tenant ON keyferry.backends TO keyferry_app USING ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant)));
GRANT DELETE, INSERT, SELECT, UPDATE ON keyferry.backends TO keyferry_app;
GRANT SELECT (id, tenant_id, mode, state, next_sync_at) ON keyferry.backends TO keyferry_dispatcher;

CREATE TABLE keyferry.backups (
  id uuid DEFAULT gen_random_uuid() NOT NULL,
  tenant_id uuid NOT NULL,
  backend_id uuid NOT NULL,
  key_id uuid NOT NULL,
  version integer NOT NULL,
  local_path text NOT NULL,
  remote_path text NOT NULL,
  type text NOT NULL,
  ciphertext bytea NOT NULL,
  encryption_key_id uuid NOT NULL,
  content_type text NOT NULL,
  metadata jsonb NOT NULL,
  reason text NOT NULL,
  created_at timestamp with time zone NOT NULL,
  restored_at timestamp with time zone,
  restored_by text,
  CONSTRAINT backups_pkey PRIMARY KEY (id),
  CONSTRAINT backups_tenant_id_backend_id_fkey FOREIGN KEY (tenant_id, backend_id) REFERENCES keyferry.backends(tenant_id, id),
  CONSTRAINT backups_tenant_id_encryption_key_id_fkey FOREIGN KEY (tenant_id, encryption_key_id) REFERENCES keyferry.encryption_keys(tenant_id, id),
  CONSTRAINT backups_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES keyferry.tenants(id)
);
ALTER TABLE keyferry.backups ENABLE ROW LEVEL SECURITY;
ALTER TABLE keyferry.backups FORCE ROW LEVEL SECURITY;
CREATE INDEX backups_encryption_key ON keyferry.backups USING btree (tenant_id, encryption_key_id);
CREATE INDEX backups_key ON keyferry.backups USING btree (tenant_id, key_id);
CREATE INDEX backups_of_tenant ON keyferry.backups USING btree (tenant_id, created_at DESC, id DESC);
CREATE POLICY tenant ON keyferry.backups TO keyferry_app USING ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant)));
GRANT DELETE, INSERT, SELECT, UPDATE ON keyferry.backups TO keyferry_app;

CREATE TABLE keyferry.candidates (
  cycle_id uuid NOT NULL,
  key_id uuid NOT NULL,
  tenant_id uuid NOT NULL,
  cause text DEFAULT 'absent'::text NOT NULL,
  new_path text COLLATE "C",
  CONSTRAINT candidates_pkey PRIMARY KEY (cycle_id, key_id),
  CONSTRAINT candidates_tenant_id_cycle_id_fkey FOREIGN KEY (tenant_id, cycle_id) REFERENCES keyferry.cycles(tenant_id, id) ON DELETE CASCADE,
  CONSTRAINT candidates_tenant_id_key_id_fkey FOREIGN KEY (tenant_id, key_id) REFERENCES keyferry.keys(tenant_id, id) ON DELETE CASCADE,
  CONSTRAINT candidates_cause_check CHECK ((cause = ANY (ARRAY['absent'::text, 'out_of_scope'::text, 'renamed'::text])))
);
ALTER TABLE keyferry.candidates ENABLE ROW LEVEL SECURITY;
ALTER TABLE keyferry.candidates FORCE ROW LEVEL SECURITY;
CREATE INDEX candidates_key ON keyferry.candidates USING btree (key_id);
CREATE POLICY tenant ON keyferry.candidates TO keyferry_app USING ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant)));
GRANT DELETE, INSERT, SELECT, UPDATE ON keyferry.candidates TO keyferry_app;

CREATE TABLE keyferry.channels (
  id uuid NOT NULL,
  tenant_id uuid NOT NULL,
  name text NOT NULL,
  kind text NOT NULL,
  config jsonb NOT NULL,
  secret bytea NOT NULL,
  secret_key_id uuid NOT NULL,
  state text DEFAULT 'active'::text NOT NULL,
  failures integer DEFAULT 0 NOT NULL,
  retry_at timestamp with time zone,
  last_delivered_at timestamp with time zone,
  last_failed_at timestamp with time zone,
  last_error_code text,
  last_error_message text,
  created_at timestamp with time zone NOT NULL,
  updated_at timestamp with time zone NOT NULL,
  CONSTRAINT channels_pkey PRIMARY KEY (id),
  CONSTRAINT channels_tenant_id_id_key UNIQUE (tenant_id, id),
  CONSTRAINT channels_tenant_id_name_key UNIQUE (tenant_id, name),
  CONSTRAINT channels_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES keyferry.tenants(id),
  CONSTRAINT channels_tenant_id_secret_key_id_fkey FOREIGN KEY (tenant_id, secret_key_id) REFERENCES keyferry.encryption_keys(tenant_id, id),
  CONSTRAINT channels_kind_check CHECK ((kind = ANY (ARRAY['webhook'::text, 'slack'::text, 'email'::text]))),
  CONSTRAINT channels_state_check CHECK ((state = ANY (ARRAY['active'::text, 'paused'::text])))
);
ALTER TABLE keyferry.channels ENABLE ROW LEVEL SECURITY;
ALTER TABLE keyferry.channels FORCE ROW LEVEL SECURITY;
CREATE POLICY dispatch ON keyferry.channels FOR SELECT TO keyferry_dispatcher USING (true);
CREATE POLICY tenant ON keyferry.channels TO keyferry_app USING ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant)));
GRANT DELETE, INSERT, SELECT, UPDATE ON keyferry.channels TO keyferry_app;
GRANT SELECT (id, tenant_id, state, retry_at) ON keyferry.channels TO keyferry_dispatcher;

CREATE TABLE keyferry.conflicts (
  key_id uuid NOT NULL,
  tenant_id uuid NOT NULL,
  backend_id uuid NOT NULL,
  kind text NOT NULL,
  remote_digest bytea NOT NULL,
  remote_version text,
  remote_created_at timestamp with time zone,
  remote_metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
  detected_at timestamp with time zone NOT NULL,
  seen_at timestamp with time zone NOT NULL,
  resolution text,
  resolved_by text,
  resolved_at timestamp with time zone,
  CONSTRAINT conflicts_pkey PRIMARY KEY (key_id),
  CONSTRAINT conflicts_tenant_id_backend_id_fkey FOREIGN KEY (tenant_id, backend_id) REFERENCES keyferry.backends(tenant_id, id),
  CONSTRAINT conflicts_tenant_id_key_id_fkey FOREIGN KEY (tenant_id, key_id) REFERENCES keyferry.keys(tenant_id, id) ON DELETE CASCADE,
  CONSTRAINT conflicts_kind_check CHECK ((kind = ANY (ARRAY['changed'::text, 'removed'::text]))),
  CONSTRAINT conflicts_resolution_check CHECK ((resolution = ANY (ARRAY['local'::text, 'remote'::text])))
);
ALTER TABLE keyferry.conflicts ENABLE ROW LEVEL SECURITY;
ALTER TABLE keyferry.conflicts FORCE ROW LEVEL SECURITY;
CREATE INDEX conflicts_of_backend ON keyferry.conflicts USING btree (backend_id, detected_at, key_id);
CREATE POLICY tenant ON keyferry.conflicts TO keyferry_app USING ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant)));
GRANT DELETE, INSERT, SELECT, UPDATE ON keyferry.conflicts TO keyferry_app;

CREATE TABLE keyferry.cycle_issues (
  id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
  tenant_id uuid NOT NULL,
  cycle_id uuid NOT NULL,
  remote_path text NOT NULL,
  outcome text NOT NULL,
  code text NOT NULL,
  class text,
  message text NOT NULL,
  CONSTRAINT cycle_issues_pkey PRIMARY KEY (id),
  CONSTRAINT cycle_issues_tenant_id_cycle_id_fkey FOREIGN KEY (tenant_id, cycle_id) REFERENCES keyferry.cycles(tenant_id, id) ON DELETE CASCADE
);
ALTER TABLE keyferry.cycle_issues ENABLE ROW LEVEL SECURITY;
ALTER TABLE keyferry.cycle_issues FORCE ROW LEVEL SECURITY;
CREATE INDEX cycle_issues_cycle ON keyferry.cycle_issues USING btree (cycle_id, id);
CREATE POLICY tenant ON keyferry.cycle_issues TO keyferry_app USING ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant)));
GRANT DELETE, INSERT, SELECT, UPDATE ON keyferry.cycle_issues TO keyferry_app;

CREATE TABLE keyferry.cycles (
  id uuid DEFAULT gen_random_uuid() NOT NULL,
  tenant_id uuid NOT NULL,
  backend_id uuid NOT NULL,
  scope text NOT NULL,
  trigger text NOT NULL,
  requested_by text,
  replay_of uuid,
  state text DEFAULT 'open'::text NOT NULL,
  stage text DEFAULT 'discover'::text NOT NULL,
  epoch bigint DEFAULT 0 NOT NULL,
  dispatch integer DEFAULT 1 NOT NULL,
  dispatched_at timestamp with time zone NOT NULL,
  attempts integer DEFAULT 0 NOT NULL,
  listing_complete boolean DEFAULT false NOT NULL,
  container_proven boolean DEFAULT false NOT NULL,
  shards_total integer DEFAULT 0 NOT NULL,
  shards_left integer DEFAULT 0 NOT NULL,
  counts jsonb DEFAULT '{}'::jsonb NOT NULL,
  calls jsonb DEFAULT '{}'::jsonb NOT NULL,
  issues integer DEFAULT 0 NOT NULL,
  error_class text,
  error_code text,
  error_message text,
  opened_at timestamp with time zone NOT NULL,
  closed_at timestamp with time zone,
  paths_clear_under text,
  CONSTRAINT cycles_pkey PRIMARY KEY (id),
  CONSTRAINT cycles_tenant_id_id_key UNIQUE (tenant_id, id),
  CONSTRAINT cycles_tenant_id_backend_id_fkey FOREIGN KEY (tenant_id, backend_id) REFERENCES keyferry.backends(tenant_id, id),
  CONSTRAINT cycles_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES keyferry.tenants(id),
  CONSTRAINT cycles_scope_check CHECK ((scope = ANY (ARRAY['full'::text, 'narrowed'::text]))),
  CONSTRAINT cycles_stage_check CHECK ((stage = ANY (ARRAY['discover'::text, 'validate'::text, 'sync'::text, 'deprecate'::text, 'notify'::text]))),
  CONSTRAINT cycles_state_check CHECK ((state = ANY (ARRAY['open'::text, 'completed'::text, 'failed'::text]))),
  CONSTRAINT cycles_trigger_check CHECK ((trigger = ANY (ARRAY['schedule'::text, 'hand'::text, 'push'::text, 'replay'::text])))
);
ALTER TABLE keyferry.cycles ENABLE ROW LEVEL SECURITY;
ALTER TABLE keyferry.cycles FORCE ROW LEVEL SECURITY;
CREATE INDEX cycles_closed ON keyferry.cycles USING btree (closed_at) WHERE (state <> 'open'::text);
CREATE INDEX cycles_of_backend ON keyferry.cycles USING btree (tenant_id, backend_id, opened_at DESC, id DESC);
CREATE INDEX cycles_of_tenant ON keyferry.cycles USING btree (tenant_id, opened_at DESC, id DESC);
CREATE UNIQUE INDEX cycles_one_open ON keyferry.cycles USING btree (backend_id, scope) WHERE (state = 'open'::text);
CREATE POLICY dispatch ON keyferry.cycles FOR SELECT TO keyferry_dispatcher USING (true);
CREATE POLICY tenant ON keyferry.cycles TO keyferry_app USING ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant)));
GRANT DELETE, INSERT, SELECT, UPDATE ON keyferry.cycles TO keyferry_app;
GRANT SELECT (id, tenant_id, backend_id, scope, state) ON keyferry.cycles TO keyferry_dispatcher;

CREATE TABLE keyferry.encryption_keys (
  id uuid DEFAULT gen_random_uuid() NOT NULL,
  tenant_id uuid NOT NULL,
  purpose text NOT NULL,
  master_key_id text NOT NULL,
  wrapped bytea NOT NULL,
  created_at timestamp with time zone DEFAULT now() NOT NULL,
  retired_at timestamp with time zone,
  current_from timestamp with time zone DEFAULT now() NOT NULL,
  destroyed_at timestamp with time zone,
  CONSTRAINT encryption_keys_pkey PRIMARY KEY (id),
  CONSTRAINT encryption_keys_tenant_id_id_key UNIQUE (tenant_id, id),
  CONSTRAINT encryption_keys_master_key_id_fkey FOREIGN KEY (master_key_id) REFERENCES keyferry.master_keys(id),
  CONSTRAINT encryption_keys_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES keyferry.tenants(id),
  CONSTRAINT encryption_keys_destroyed_check CHECK (((destroyed_at IS NOT NULL) = (wrapped = '\x'::bytea))),
  CONSTRAINT encryption_keys_purpose_check CHECK ((purpose = ANY (ARRAY['data'::text, 'digest'::text])))
);
ALTER TABLE keyferry.encryption_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE keyferry.encryption_keys FORCE ROW LEVEL SECURITY;
CREATE UNIQUE INDEX encryption_keys_current ON keyferry.encryption_keys USING btree (tenant_id, purpose) WHERE (retired_at IS NULL);
CREATE POLICY dispatch ON keyferry.encryption_keys FOR SELECT TO keyferry_dispatcher USING (true);
CREATE POLICY tenant ON keyferry.encryption_keys TO keyferry_app USING ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant)));
GRANT DELETE, INSERT, SELECT, UPDATE ON keyferry.encryption_keys TO keyferry_app;
GRANT SELECT (tenant_id, master_key_id, retired_at, destroyed_at) ON keyferry.encryption_keys TO keyferry_dispatcher;

CREATE TABLE keyferry.failures (
  id uuid DEFAULT gen_random_uuid() NOT NULL,
  tenant_id uuid NOT NULL,
  backend_id uuid NOT NULL,
  cycle_id uuid NOT NULL,
  stage text NOT NULL,
  shard integer DEFAULT '-1'::integer NOT NULL,
  state text NOT NULL,
  class text,
  code text NOT NULL,
  message text NOT NULL,
  attempts integer NOT NULL,
  first_failed_at timestamp with time zone NOT NULL,
  last_failed_at timestamp with time zone NOT NULL,
  CONSTRAINT failures_pkey PRIMARY KEY (id),
  CONSTRAINT failures_cycle_id_stage_shard_key UNIQUE (cycle_id, stage, shard),
  CONSTRAINT failures_tenant_id_backend_id_fkey FOREIGN KEY (tenant_id, backend_id) REFERENCES keyferry.backends(tenant_id, id),
  CONSTRAINT failures_tenant_id_cycle_id_fkey FOREIGN KEY (tenant_id, cycle_id) REFERENCES keyferry.cycles(tenant_id, id) ON DELETE CASCADE,
  CONSTRAINT failures_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES keyferry.tenants(id),
  CONSTRAINT failures_state_check CHECK ((state = ANY (ARRAY['retrying'::text, 'failed'::text, 'replayed'::text, 'resolved'::text])))
);
ALTER TABLE keyferry.failures ENABLE ROW LEVEL SECURITY;
ALTER TABLE keyferry.failures FORCE ROW LEVEL SECURITY;
CREATE INDEX failures_open ON keyferry.failures USING btree (tenant_id, last_failed_at DESC, id) WHERE (state = ANY (ARRAY['retrying'::text, 'failed'::text]));
CREATE POLICY tenant ON keyferry.failures TO keyferry_app USING ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant)));
GRANT DELETE, INSERT, SELECT, UPDATE ON keyferry.failures TO keyferry_app;

CREATE TABLE keyferry.findings (
  backend_id uuid NOT NULL,
  remote_hash bytea NOT NULL,
  tenant_id uuid NOT NULL,
  remote_path text NOT NULL,
  rejected boolean NOT NULL,
  problems jsonb NOT NULL,
  remote_revision text,
  since timestamp with time zone NOT NULL,
  found_in uuid NOT NULL,
  CONSTRAINT findings_pkey PRIMARY KEY (backend_id, remote_hash),
  CONSTRAINT findings_tenant_id_backend_id_fkey FOREIGN KEY (tenant_id, backend_id) REFERENCES keyferry.backends(tenant_id, id),
  CONSTRAINT findings_remote_hash_check CHECK ((length(remote_hash) = 16))
);
ALTER TABLE keyferry.findings ENABLE ROW LEVEL SECURITY;
ALTER TABLE keyferry.findings FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON keyferry.findings TO keyferry_app USING ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant)));
GRANT DELETE, INSERT, SELECT, UPDATE ON keyferry.findings TO keyferry_app;

CREATE TABLE keyferry.hold_keys (
  hold_id uuid NOT NULL,
  key_id uuid NOT NULL,
  tenant_id uuid NOT NULL,
  new_path text COLLATE "C",
  cause text DEFAULT 'absent'::text NOT NULL,
  CONSTRAINT hold_keys_pkey PRIMARY KEY (hold_id, key_id),
  CONSTRAINT hold_keys_tenant_id_hold_id_fkey FOREIGN KEY (tenant_id, hold_id) REFERENCES keyferry.holds(tenant_id, id) ON DELETE CASCADE,
  CONSTRAINT hold_keys_tenant_id_key_id_fkey FOREIGN KEY (tenant_id, key_id) REFERENCES keyferry.keys(tenant_id, id) ON DELETE CASCADE,
  CONSTRAINT hold_keys_cause_check CHECK ((cause = ANY (ARRAY['absent'::text, 'out_of_scope'::text, 'renamed'::text, 'removal'::text])))
);
ALTER TABLE keyferry.hold_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE keyferry.hold_keys FORCE ROW LEVEL SECURITY;
CREATE INDEX hold_keys_key ON keyferry.hold_keys USING btree (key_id);
CREATE POLICY tenant ON keyferry.hold_keys TO keyferry_app USING ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant)));
GRANT DELETE, INSERT, SELECT, UPDATE ON keyferry.hold_keys TO keyferry_app;

CREATE TABLE keyferry.holds (
  id uuid DEFAULT gen_random_uuid() NOT NULL,
  tenant_id uuid NOT NULL,
  backend_id uuid NOT NULL,
  cycle_id uuid,
  state text DEFAULT 'open'::text NOT NULL,
  candidates integer NOT NULL,
  keys integer NOT NULL,
  opened_at timestamp with time zone NOT NULL,
  updated_at timestamp with time zone NOT NULL,
  decided_at timestamp with time zone,
  decided_by text,
  kind text DEFAULT 'cycle'::text NOT NULL,
  CONSTRAINT holds_pkey PRIMARY KEY (id),
  CONSTRAINT holds_tenant_id_id_key UNIQUE (tenant_id, id),
  CONSTRAINT holds_tenant_id_backend_id_fkey FOREIGN KEY (tenant_id, backend_id) REFERENCES keyferry.backends(tenant_id, id),
  CONSTRAINT holds_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES keyferry.tenants(id),
  CONSTRAINT holds_kind_check CHECK ((kind = ANY (ARRAY['cycle'::text, 'removal'::text]))),
  CONSTRAINT holds_state_check CHECK ((state = ANY (ARRAY['open'::text, 'approved'::text, 'rejected'::text, 'ended'::text])))
);
ALTER TABLE keyferry.holds ENABLE ROW LEVEL SECURITY;
ALTER TABLE keyferry.holds FORCE ROW LEVEL SECURITY;
CREATE UNIQUE INDEX holds_one_open ON keyferry.holds USING btree (backend_id, kind) WHERE (state = 'open'::text);
CREATE POLICY tenant ON keyferry.holds TO keyferry_app USING ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant)));
GRANT DELETE, INSERT, SELECT, UPDATE ON keyferry.holds TO keyferry_app;

CREATE TABLE keyferry.idempotent_requests (
  tenant_id uuid NOT NULL,
  actor text NOT NULL,
  key_hash bytea NOT NULL,
  request_digest bytea NOT NULL,
  status integer,
  answer jsonb,
  claimed_until timestamp with time zone NOT NULL,
  created_at timestamp with time zone NOT NULL,
  CONSTRAINT idempotent_requests_pkey PRIMARY KEY (tenant_id, actor, key_hash),
  CONSTRAINT idempotent_requests_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES keyferry.tenants(id),
  CONSTRAINT idempotent_requests_key_hash_check CHECK ((length(key_hash) = 32))
);
ALTER TABLE keyferry.idempotent_requests ENABLE ROW LEVEL SECURITY;
ALTER TABLE keyferry.idempotent_requests FORCE ROW LEVEL SECURITY;
CREATE INDEX idempotent_requests_age ON keyferry.idempotent_requests USING btree (created_at);
CREATE POLICY tenant ON keyferry.idempotent_requests TO keyferry_app USING ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant)));
GRANT DELETE, INSERT, SELECT, UPDATE ON keyferry.idempotent_requests TO keyferry_app;

CREATE TABLE keyferry.identities (
  id uuid DEFAULT gen_random_uuid() NOT NULL,
  tenant_id uuid NOT NULL,
  name text NOT NULL,
  description text DEFAULT ''::text NOT NULL,
  operator boolean DEFAULT false NOT NULL,
  scopes text[] NOT NULL,
  state text DEFAULT 'active'::text NOT NULL,
  created_by text NOT NULL,
  created_at timestamp with time zone NOT NULL,
  updated_at timestamp with time zone NOT NULL,
  CONSTRAINT identities_pkey PRIMARY KEY (id),
  CONSTRAINT identities_tenant_id_id_key UNIQUE (tenant_id, id),
  CONSTRAINT identities_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES keyferry.tenants(id),
  CONSTRAINT identities_check CHECK (((NOT operator) OR (tenant_id = '00000000-0000-4000-8000-000000000001'::uuid))),
  CONSTRAINT identities_scopes_check CHECK ((scopes <@ ARRAY['federation:read'::text, 'federation:write'::text, 'jobs:replay'::text, 'settings'::text, 'audit:read'::text])),
  CONSTRAINT identities_state_check CHECK ((state = ANY (ARRAY['active'::text, 'disabled'::text, 'removed'::text])))
);
ALTER TABLE keyferry.identities ENABLE ROW LEVEL SECURITY;
ALTER TABLE keyferry.identities FORCE ROW LEVEL SECURITY;
CREATE UNIQUE INDEX identities_name ON keyferry.identities USING btree (tenant_id, name) WHERE (state <> 'removed'::text);
CREATE POLICY tenant ON keyferry.identities TO keyferry_app USING ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant)));
GRANT INSERT, SELECT, UPDATE ON keyferry.identities TO keyferry_app;

CREATE TABLE keyferry.key_changes (
  id bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
  tenant_id uuid NOT NULL,
  key_id uuid NOT NULL,
  at timestamp with time zone NOT NULL,
  change text NOT NULL,
  from_state text,
  to_state text,
  version integer,
  cycle_id uuid,
  actor text,
  reason text,
  CONSTRAINT key_changes_pkey PRIMARY KEY (id),
  CONSTRAINT key_changes_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES keyferry.tenants(id)
);
ALTER TABLE keyferry.key_changes ENABLE ROW LEVEL SECURITY;
ALTER TABLE keyferry.key_changes FORCE ROW LEVEL SECURITY;
CREATE INDEX key_changes_key ON keyferry.key_changes USING btree (tenant_id, key_id, id);
CREATE POLICY tenant ON keyferry.key_changes TO keyferry_app USING ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant)));
GRANT INSERT, SELECT ON keyferry.key_changes TO keyferry_app;

CREATE TABLE keyferry.key_counts (
  tenant_id uuid NOT NULL,
  keys bigint NOT NULL,
  CONSTRAINT key_counts_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES keyferry.tenants(id)
);
ALTER TABLE keyferry.key_counts ENABLE ROW LEVEL SECURITY;
ALTER TABLE keyferry.key_counts FORCE ROW LEVEL SECURITY;
CREATE INDEX key_counts_tenant ON keyferry.key_counts USING btree (tenant_id);
CREATE POLICY tenant ON keyferry.key_counts TO keyferry_app USING ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant)));
GRANT DELETE, INSERT, SELECT, UPDATE ON keyferry.key_counts TO keyferry_app;

CREATE TABLE keyferry.key_versions (
  key_id uuid NOT NULL,
  version integer NOT NULL,
  tenant_id uuid NOT NULL,
  ciphertext bytea NOT NULL,
  encryption_key_id uuid NOT NULL,
  content_type text NOT NULL,
  metadata jsonb NOT NULL,
  source text NOT NULL,
  remote_version text,
  remote_created_at timestamp with time zone,
  created_at timestamp with time zone NOT NULL,
  readable_until timestamp with time zone,
  CONSTRAINT key_versions_pkey PRIMARY KEY (key_id, version),
  CONSTRAINT key_versions_tenant_id_encryption_key_id_fkey FOREIGN KEY (tenant_id, encryption_key_id) REFERENCES keyferry.encryption_keys(tenant_id, id),
  CONSTRAINT key_versions_tenant_id_key_id_fkey FOREIGN KEY (tenant_id, key_id) REFERENCES keyferry.keys(tenant_id, id) ON DELETE CASCADE,
  CONSTRAINT key_versions_source_check CHECK ((source = ANY (ARRAY['vault'::text, 'local'::text, 'rollback'::text, 'backup'::text])))
);
ALTER TABLE keyferry.key_versions ENABLE ROW LEVEL SECURITY;
ALTER TABLE keyferry.key_versions FORCE ROW LEVEL SECURITY;
CREATE INDEX key_versions_encryption_key ON keyferry.key_versions USING btree (tenant_id, encryption_key_id);
CREATE POLICY tenant ON keyferry.key_versions TO keyferry_app USING ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant)));
GRANT DELETE, INSERT, SELECT, UPDATE ON keyferry.key_versions TO keyferry_app;

CREATE TABLE keyferry.keys (
  id uuid DEFAULT gen_random_uuid() NOT NULL,
  tenant_id uuid NOT NULL,
  backend_id uuid NOT NULL,
  remote_path text NOT NULL,
  remote_hash bytea NOT NULL,
  local_path text COLLATE "C" NOT NULL,
  type text NOT NULL,
  state text NOT NULL,
  revoked boolean DEFAULT false NOT NULL,
  row_version bigint DEFAULT 1 NOT NULL,
  version integer NOT NULL,
  content_type text NOT NULL,
  metadata jsonb NOT NULL,
  remote_version text,
  remote_revision text,
  remote_created_at timestamp with time zone,
  base_digest bytea NOT NULL,
  local_digest bytea NOT NULL,
  remote_digest bytea NOT NULL,
  digest_key_id uuid NOT NULL,
  owned boolean DEFAULT false NOT NULL,
  tombstone boolean DEFAULT false NOT NULL,
  expires_at timestamp with time zone,
  state_changed_at timestamp with time zone NOT NULL,
  deprecated_at timestamp with time zone,
  hold_id uuid,
  last_seen_at timestamp with time zone NOT NULL,
  created_at timestamp with time zone NOT NULL,
  updated_at timestamp with time zone NOT NULL,
  archive_at timestamp with time zone,
  purge_at timestamp with time zone,
  archive_reminder_at timestamp with time zone,
  expiry_reminder_at timestamp with time zone,
  rotation_due_at timestamp with time zone,
  rotation_told boolean DEFAULT false NOT NULL,
  value_at timestamp with time zone,
  rolled_back boolean DEFAULT false NOT NULL,
  missing_since timestamp with time zone,
  kept boolean DEFAULT false NOT NULL,
  deprecated_for text,
  created_in uuid,
  write_seq bigint DEFAULT 0 NOT NULL,
  owned_for text,
  CONSTRAINT keys_pkey PRIMARY KEY (id),
  CONSTRAINT keys_backend_id_remote_hash_key UNIQUE (backend_id, remote_hash),
  CONSTRAINT keys_tenant_id_id_key UNIQUE (tenant_id, id),
  CONSTRAINT keys_tenant_id_local_path_key UNIQUE (tenant_id, local_path),
  CONSTRAINT keys_tenant_id_backend_id_fkey FOREIGN KEY (tenant_id, backend_id) REFERENCES keyferry.backends(tenant_id, id),
  CONSTRAINT keys_tenant_id_digest_key_id_fkey FOREIGN KEY (tenant_id, digest_key_id) REFERENCES keyferry.encryption_keys(tenant_id, id),
  CONSTRAINT keys_tenant_id_hold_id_fkey FOREIGN KEY (tenant_id, hold_id) REFERENCES keyferry.holds(tenant_id, id),
  CONSTRAINT keys_deprecated_for_check CHECK ((deprecated_for = ANY (ARRAY['absent'::text, 'out_of_scope'::text]))),
  CONSTRAINT keys_remote_hash_check CHECK ((length(remote_hash) = 16)),
  CONSTRAINT keys_state_check CHECK ((state = ANY (ARRAY['active'::text, 'deprecated'::text, 'archived'::text, 'expired'::text]))),
  CONSTRAINT keys_type_check CHECK ((type = ANY (ARRAY['api_key'::text, 'virtual_key'::text, 'json'::text, 'certificate'::text, 'ssh_key'::text, 'opaque'::text])))
);
ALTER TABLE keyferry.keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE keyferry.keys FORCE ROW LEVEL SECURITY;
CREATE INDEX keys_archive_reminders ON keyferry.keys USING btree (tenant_id, backend_id, archive_reminder_at) WHERE (archive_reminder_at IS NOT NULL);
CREATE INDEX keys_expiry_reminders ON keyferry.keys USING btree (tenant_id, backend_id, expiry_reminder_at) WHERE (expiry_reminder_at IS NOT NULL);
CREATE INDEX keys_on_the_way ON keyferry.keys USING btree (backend_id, state, state_changed_at) WHERE (state <> 'active'::text);
CREATE INDEX keys_owned_for ON keyferry.keys USING btree (tenant_id, owned_for) WHERE (owned_for IS NOT NULL);
CREATE INDEX keys_to_archive ON keyferry.keys USING btree (tenant_id, backend_id, archive_at) WHERE (archive_at IS NOT NULL);
CREATE INDEX keys_to_expire ON keyferry.keys USING btree (tenant_id, backend_id, expires_at) WHERE ((expires_at IS NOT NULL) AND (state = ANY (ARRAY['active'::text, 'deprecated'::text])));
CREATE INDEX keys_to_purge ON keyferry.keys USING btree (tenant_id, backend_id, purge_at) WHERE (purge_at IS NOT NULL);
CREATE INDEX keys_to_rotate ON keyferry.keys USING btree (tenant_id, backend_id, rotation_due_at) WHERE ((rotation_due_at IS NOT NULL) AND (NOT rotation_told));
CREATE POLICY tenant ON keyferry.keys TO keyferry_app USING ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant)));
CREATE TRIGGER count_added AFTER INSERT ON keyferry.keys REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION keyferry.count_keys();
CREATE TRIGGER count_removed AFTER DELETE ON keyferry.keys REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION keyferry.count_keys();
GRANT DELETE, INSERT, SELECT, UPDATE ON keyferry.keys TO keyferry_app;

CREATE TABLE keyferry.master_keys (
  id text NOT NULL,
  check_value bytea NOT NULL,
  created_at timestamp with time zone DEFAULT now() NOT NULL,
  CONSTRAINT master_keys_pkey PRIMARY KEY (id)
);
GRANT INSERT, SELECT ON keyferry.master_keys TO keyferry_app;

CREATE TABLE keyferry.migrations (
  name character varying(255) NOT NULL,
  "timestamp" character varying(255) NOT NULL,
  CONSTRAINT migrations_pkey PRIMARY KEY (name)
);
GRANT SELECT ON keyferry.migrations TO keyferry_app;

CREATE TABLE keyferry.migrations_lock (
  id character varying(255) NOT NULL,
  is_locked integer DEFAULT 0 NOT NULL,
  CONSTRAINT migrations_lock_pkey PRIMARY KEY (id)
);

CREATE TABLE keyferry.notices (
  id uuid DEFAULT gen_random_uuid() NOT NULL,
  tenant_id uuid NOT NULL,
  rule_id uuid NOT NULL,
  rule_name text NOT NULL,
  channel_id uuid NOT NULL,
  channel_name text NOT NULL,
  group_key text NOT NULL,
  state text DEFAULT 'collecting'::text NOT NULL,
  message jsonb NOT NULL,
  ready_at timestamp with time zone NOT NULL,
  attempts integer DEFAULT 0 NOT NULL,
  refusals integer DEFAULT 0 NOT NULL,
  next_attempt_at timestamp with time zone,
  give_up_at timestamp with time zone,
  claimed_until timestamp with time zone,
  last_error_code text,
  last_error_message text,
  created_at timestamp with time zone NOT NULL,
  delivered_at timestamp with time zone,
  ended_at timestamp with time zone,
  CONSTRAINT notices_pkey PRIMARY KEY (id),
  CONSTRAINT notices_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES keyferry.tenants(id),
  CONSTRAINT notices_state_check CHECK ((state = ANY (ARRAY['collecting'::text, 'pending'::text, 'delivered'::text, 'failed'::text, 'discarded'::text])))
);
ALTER TABLE keyferry.notices ENABLE ROW LEVEL SECURITY;
ALTER TABLE keyferry.notices FORCE ROW LEVEL SECURITY;
CREATE UNIQUE INDEX notices_collecting ON keyferry.notices USING btree (rule_id, group_key) WHERE (state = 'collecting'::text);
CREATE INDEX notices_due ON keyferry.notices USING btree (channel_id, next_attempt_at, id) WHERE (state = 'pending'::text);
CREATE INDEX notices_ended ON keyferry.notices USING btree (tenant_id, ended_at) WHERE (ended_at IS NOT NULL);
CREATE INDEX notices_log ON keyferry.notices USING btree (tenant_id, created_at DESC, id DESC);
CREATE INDEX notices_ready ON keyferry.notices USING btree (tenant_id, ready_at) WHERE (state = 'collecting'::text);
CREATE POLICY dispatch ON keyferry.notices FOR SELECT TO keyferry_dispatcher USING (true);
CREATE POLICY tenant ON keyferry.notices TO keyferry_app USING ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant)));
GRANT DELETE, INSERT, SELECT, UPDATE ON keyferry.notices TO keyferry_app;
GRANT SELECT (tenant_id, channel_id, state, ready_at, next_attempt_at, claimed_until) ON keyferry.notices TO keyferry_dispatcher;

CREATE TABLE keyferry.notification_cursors (
  tenant_id uuid NOT NULL,
  "position" bigint NOT NULL,
  CONSTRAINT notification_cursors_pkey PRIMARY KEY (tenant_id),
  CONSTRAINT notification_cursors_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES keyferry.tenants(id)
);
ALTER TABLE keyferry.notification_cursors ENABLE ROW LEVEL SECURITY;
ALTER TABLE keyferry.notification_cursors FORCE ROW LEVEL SECURITY;
CREATE POLICY dispatch ON keyferry.notification_cursors FOR SELECT TO keyferry_dispatcher USING (true);
CREATE POLICY tenant ON keyferry.notification_cursors TO keyferry_app USING ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant)));
GRANT DELETE, INSERT, SELECT, UPDATE ON keyferry.notification_cursors TO keyferry_app;
GRANT SELECT (tenant_id, "position") ON keyferry.notification_cursors TO keyferry_dispatcher;

CREATE TABLE keyferry.notification_rules (
  id uuid DEFAULT gen_random_uuid() NOT NULL,
  tenant_id uuid NOT NULL,
  name text NOT NULL,
  channel_id uuid NOT NULL,
  event_types text[] DEFAULT '{}'::text[] NOT NULL,
  backend_ids uuid[] DEFAULT '{}'::uuid[] NOT NULL,
  paths text[] DEFAULT '{}'::text[] NOT NULL,
  min_severity text DEFAULT 'info'::text NOT NULL,
  state text DEFAULT 'active'::text NOT NULL,
  from_position bigint NOT NULL,
  created_at timestamp with time zone NOT NULL,
  updated_at timestamp with time zone NOT NULL,
  CONSTRAINT notification_rules_pkey PRIMARY KEY (id),
  CONSTRAINT notification_rules_tenant_id_name_key UNIQUE (tenant_id, name),
  CONSTRAINT notification_rules_tenant_id_channel_id_fkey FOREIGN KEY (tenant_id, channel_id) REFERENCES keyferry.channels(tenant_id, id),
  CONSTRAINT notification_rules_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES keyferry.tenants(id),
  CONSTRAINT notification_rules_min_severity_check CHECK ((min_severity = ANY (ARRAY['info'::text, 'warning'::text, 'critical'::text]))),
  CONSTRAINT notification_rules_state_check CHECK ((state = ANY (ARRAY['active'::text, 'paused'::text])))
);
ALTER TABLE keyferry.notification_rules ENABLE ROW LEVEL SECURITY;
ALTER TABLE keyferry.notification_rules FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON keyferry.notification_rules TO keyferry_app USING ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant)));
GRANT DELETE, INSERT, SELECT, UPDATE ON keyferry.notification_rules TO keyferry_app;

CREATE TABLE keyferry.outbox (
  id uuid DEFAULT gen_random_uuid() NOT NULL,
  "position" bigint GENERATED ALWAYS AS IDENTITY NOT NULL,
  tenant_id uuid NOT NULL,
  backend_id uuid,
  seq bigint NOT NULL,
  type text NOT NULL,
  data jsonb NOT NULL,
  occurred_at timestamp with time zone NOT NULL,
  delivered_at timestamp with time zone,
  CONSTRAINT outbox_pkey PRIMARY KEY (id),
  CONSTRAINT outbox_backend_id_seq_key UNIQUE (backend_id, seq),
  CONSTRAINT outbox_tenant_id_backend_id_fkey FOREIGN KEY (tenant_id, backend_id) REFERENCES keyferry.backends(tenant_id, id),
  CONSTRAINT outbox_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES keyferry.tenants(id)
);
ALTER TABLE keyferry.outbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE keyferry.outbox FORCE ROW LEVEL SECURITY;
CREATE INDEX outbox_delivered ON keyferry.outbox USING btree (delivered_at) WHERE (delivered_at IS NOT NULL);
CREATE UNIQUE INDEX outbox_of_tenant ON keyferry.outbox USING btree (tenant_id, seq) WHERE (backend_id IS NULL);
CREATE INDEX outbox_position ON keyferry.outbox USING btree (tenant_id, "position");
CREATE INDEX outbox_undelivered ON keyferry.outbox USING btree (backend_id, seq) WHERE (delivered_at IS NULL);
CREATE POLICY dispatch ON keyferry.outbox FOR SELECT TO keyferry_dispatcher USING (true);
CREATE POLICY tenant ON keyferry.outbox TO keyferry_app USING ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant)));
GRANT DELETE, INSERT, SELECT, UPDATE ON keyferry.outbox TO keyferry_app;
GRANT SELECT ("position", tenant_id, backend_id, delivered_at) ON keyferry.outbox TO keyferry_dispatcher;

CREATE TABLE keyferry.policies (
  id uuid DEFAULT gen_random_uuid() NOT NULL,
  tenant_id uuid NOT NULL,
  name text NOT NULL,
  path_glob text NOT NULL,
  permissions text[] NOT NULL,
  ip_ranges text[] DEFAULT '{}'::text[] NOT NULL,
  expires_at timestamp with time zone,
  bindings jsonb NOT NULL,
  created_by text NOT NULL,
  created_at timestamp with time zone NOT NULL,
  updated_at timestamp with time zone NOT NULL,
  CONSTRAINT policies_pkey PRIMARY KEY (id),
  CONSTRAINT policies_tenant_id_id_key UNIQUE (tenant_id, id),
  CONSTRAINT policies_tenant_id_name_key UNIQUE (tenant_id, name),
  CONSTRAINT policies_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES keyferry.tenants(id),
  CONSTRAINT policies_permissions_check CHECK (((cardinality(permissions) > 0) AND (permissions <@ ARRAY['read'::text, 'write'::text, 'delete'::text, 'list'::text, 'rotate'::text, 'revoke'::text, 'admin'::text])))
);
ALTER TABLE keyferry.policies ENABLE ROW LEVEL SECURITY;
ALTER TABLE keyferry.policies FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON keyferry.policies TO keyferry_app USING ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant)));
GRANT DELETE, INSERT, SELECT, UPDATE ON keyferry.policies TO keyferry_app;

CREATE TABLE keyferry.shards (
  cycle_id uuid NOT NULL,
  number integer NOT NULL,
  tenant_id uuid NOT NULL,
  refs jsonb NOT NULL,
  state text DEFAULT 'pending'::text NOT NULL,
  epoch bigint DEFAULT 0 NOT NULL,
  released boolean DEFAULT false NOT NULL,
  dispatch integer DEFAULT 0 NOT NULL,
  dispatched_at timestamp with time zone NOT NULL,
  attempts integer DEFAULT 0 NOT NULL,
  counts jsonb DEFAULT '{}'::jsonb NOT NULL,
  calls jsonb DEFAULT '{}'::jsonb NOT NULL,
  all_new boolean DEFAULT false NOT NULL,
  CONSTRAINT shards_pkey PRIMARY KEY (cycle_id, number),
  CONSTRAINT shards_tenant_id_cycle_id_fkey FOREIGN KEY (tenant_id, cycle_id) REFERENCES keyferry.cycles(tenant_id, id) ON DELETE CASCADE,
  CONSTRAINT shards_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'done'::text, 'failed'::text])))
);
ALTER TABLE keyferry.shards ENABLE ROW LEVEL SECURITY;
ALTER TABLE keyferry.shards FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON keyferry.shards TO keyferry_app USING ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant)));
GRANT DELETE, INSERT, SELECT, UPDATE ON keyferry.shards TO keyferry_app;

CREATE TABLE keyferry.tenant_events (
  tenant_id uuid NOT NULL,
  event_seq bigint NOT NULL,
  CONSTRAINT tenant_events_pkey PRIMARY KEY (tenant_id),
  CONSTRAINT tenant_events_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES keyferry.tenants(id)
);
ALTER TABLE keyferry.tenant_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE keyferry.tenant_events FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON keyferry.tenant_events TO keyferry_app USING ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant)));
GRANT DELETE, INSERT, SELECT, UPDATE ON keyferry.tenant_events TO keyferry_app;

CREATE TABLE keyferry.tenants (
  id uuid DEFAULT gen_random_uuid() NOT NULL,
  name text NOT NULL,
  created_at timestamp with time zone DEFAULT now() NOT NULL,
  state text DEFAULT 'active'::text NOT NULL,
  max_backends integer,
  max_keys integer,
  max_open_cycles integer,
  state_changed_at timestamp with time zone DEFAULT now() NOT NULL,
  deletion_requested_by text,
  purged_at timestamp with time zone,
  CONSTRAINT tenants_pkey PRIMARY KEY (id),
  CONSTRAINT tenants_max_backends_check CHECK ((max_backends >= 0)),
  CONSTRAINT tenants_max_keys_check CHECK ((max_keys >= 0)),
  CONSTRAINT tenants_max_open_cycles_check CHECK ((max_open_cycles > 0)),
  CONSTRAINT tenants_state_check CHECK ((state = ANY (ARRAY['active'::text, 'suspended'::text, 'deleting'::text, 'deleted'::text])))
);
ALTER TABLE keyferry.tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE keyferry.tenants FORCE ROW LEVEL SECURITY;
CREATE UNIQUE INDEX tenants_name ON keyferry.tenants USING btree (name) WHERE (state <> 'deleted'::text);
CREATE POLICY dispatch ON keyferry.tenants FOR SELECT TO keyferry_dispatcher USING (true);
CREATE POLICY operator ON keyferry.tenants TO keyferry_app USING (( SELECT keyferry.is_operator() AS is_operator)) WITH CHECK (( SELECT keyferry.is_operator() AS is_operator));
CREATE POLICY tenant ON keyferry.tenants FOR SELECT TO keyferry_app USING ((id = ( SELECT keyferry.current_tenant() AS current_tenant)));
CREATE POLICY tenant_lock ON keyferry.tenants FOR UPDATE TO keyferry_app USING ((id = ( SELECT keyferry.current_tenant() AS current_tenant))) WITH CHECK (false);
GRANT INSERT, SELECT, UPDATE ON keyferry.tenants TO keyferry_app;
GRANT SELECT (id, name, state, state_changed_at, purged_at) ON keyferry.tenants TO keyferry_dispatcher;

CREATE TABLE keyferry.token_issuers (
  id uuid DEFAULT gen_random_uuid() NOT NULL,
  tenant_id uuid NOT NULL,
  name text NOT NULL,
  kind text NOT NULL,
  issuer text NOT NULL,
  audiences text[] NOT NULL,
  algorithms text[] NOT NULL,
  jwks_url text,
  jwks jsonb,
  ca_cert text,
  mappings jsonb NOT NULL,
  created_by text NOT NULL,
  created_at timestamp with time zone NOT NULL,
  updated_at timestamp with time zone NOT NULL,
  CONSTRAINT token_issuers_pkey PRIMARY KEY (id),
  CONSTRAINT token_issuers_tenant_id_id_key UNIQUE (tenant_id, id),
  CONSTRAINT token_issuers_tenant_id_name_key UNIQUE (tenant_id, name),
  CONSTRAINT token_issuers_tenant_id_fkey FOREIGN KEY (tenant_id) REFERENCES keyferry.tenants(id),
  CONSTRAINT token_issuers_algorithms_check CHECK ((cardinality(algorithms) > 0)),
  CONSTRAINT token_issuers_audiences_check CHECK ((cardinality(audiences) > 0)),
  CONSTRAINT token_issuers_kind_check CHECK ((kind = ANY (ARRAY['oidc'::text, 'kubernetes'::text])))
);
ALTER TABLE keyferry.token_issuers ENABLE ROW LEVEL SECURITY;
ALTER TABLE keyferry.token_issuers FORCE ROW LEVEL SECURITY;
CREATE INDEX token_issuers_issuer ON keyferry.token_issuers USING btree (issuer);
CREATE POLICY dispatch ON keyferry.token_issuers FOR SELECT TO keyferry_dispatcher USING (true);
CREATE POLICY tenant ON keyferry.token_issuers TO keyferry_app USING ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant)));
GRANT DELETE, INSERT, SELECT, UPDATE ON keyferry.token_issuers TO keyferry_app;
GRANT SELECT (id, tenant_id, issuer, audiences) ON keyferry.token_issuers TO keyferry_dispatcher;

CREATE TABLE keyferry.tokens (
  id uuid DEFAULT gen_random_uuid() NOT NULL,
  tenant_id uuid NOT NULL,
  identity_id uuid NOT NULL,
  name text NOT NULL,
  digest bytea NOT NULL,
  shown text NOT NULL,
  created_by text NOT NULL,
  created_at timestamp with time zone NOT NULL,
  expires_at timestamp with time zone,
  revoked_at timestamp with time zone,
  last_used_at timestamp with time zone,
  CONSTRAINT tokens_pkey PRIMARY KEY (id),
  CONSTRAINT tokens_digest_key UNIQUE (digest),
  CONSTRAINT tokens_tenant_id_id_key UNIQUE (tenant_id, id),
  CONSTRAINT tokens_tenant_id_identity_id_fkey FOREIGN KEY (tenant_id, identity_id) REFERENCES keyferry.identities(tenant_id, id),
  CONSTRAINT tokens_digest_check CHECK ((length(digest) = 32))
);
ALTER TABLE keyferry.tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE keyferry.tokens FORCE ROW LEVEL SECURITY;
CREATE INDEX tokens_identity ON keyferry.tokens USING btree (identity_id);
CREATE POLICY dispatch ON keyferry.tokens FOR SELECT TO keyferry_dispatcher USING (true);
CREATE POLICY tenant ON keyferry.tokens TO keyferry_app USING ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant)));
GRANT INSERT, SELECT, UPDATE ON keyferry.tokens TO keyferry_app;
GRANT SELECT (id, tenant_id, digest) ON keyferry.tokens TO keyferry_dispatcher;

CREATE TABLE keyferry.write_intents (
  backend_id uuid NOT NULL,
  remote_hash bytea NOT NULL,
  tenant_id uuid NOT NULL,
  id uuid NOT NULL,
  kind text NOT NULL,
  remote_path text NOT NULL,
  local_path text COLLATE "C" NOT NULL,
  value_digest bytea NOT NULL,
  creates boolean NOT NULL,
  owned_for text,
  claimed_until timestamp with time zone NOT NULL,
  created_at timestamp with time zone NOT NULL,
  CONSTRAINT write_intents_pkey PRIMARY KEY (backend_id, remote_hash),
  CONSTRAINT write_intents_tenant_id_backend_id_fkey FOREIGN KEY (tenant_id, backend_id) REFERENCES keyferry.backends(tenant_id, id),
  CONSTRAINT write_intents_kind_check CHECK ((kind = ANY (ARRAY['put'::text, 'remove'::text]))),
  CONSTRAINT write_intents_remote_hash_check CHECK ((length(remote_hash) = 16))
);
ALTER TABLE keyferry.write_intents ENABLE ROW LEVEL SECURITY;
ALTER TABLE keyferry.write_intents FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON keyferry.write_intents TO keyferry_app USING ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant))) WITH CHECK ((tenant_id = ( SELECT keyferry.current_tenant() AS current_tenant)));
GRANT DELETE, INSERT, SELECT, UPDATE ON keyferry.write_intents TO keyferry_app;

CREATE OR REPLACE FUNCTION keyferry.access_revisions_of(tenants uuid[])
 RETURNS TABLE(tenant_id uuid, revision bigint)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog'
AS $function$
  SELECT r.tenant_id, r.revision FROM keyferry.access_revisions r WHERE r.tenant_id = ANY (tenants)
$function$
;
ALTER FUNCTION keyferry.access_revisions_of(uuid[]) OWNER TO keyferry_dispatcher;
REVOKE ALL ON FUNCTION keyferry.access_revisions_of(uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION keyferry.access_revisions_of(uuid[]) TO keyferry_app;

CREATE OR REPLACE FUNCTION keyferry.all_tenants()
 RETURNS SETOF uuid
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog'
AS $function$
  SELECT t.id FROM keyferry.tenants t WHERE t.state = 'active'
$function$
;
ALTER FUNCTION keyferry.all_tenants() OWNER TO keyferry_dispatcher;
REVOKE ALL ON FUNCTION keyferry.all_tenants() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION keyferry.all_tenants() TO keyferry_app;

CREATE OR REPLACE FUNCTION keyferry.backends_with_undelivered_events()
 RETURNS TABLE(tenant_id uuid, backend_id uuid)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog'
AS $function$
  SELECT DISTINCT o.tenant_id, o.backend_id FROM keyferry.outbox o
  WHERE o.delivered_at IS NULL
    AND EXISTS (SELECT FROM keyferry.tenants t WHERE t.id = o.tenant_id AND t.state = 'active')
$function$
;
ALTER FUNCTION keyferry.backends_with_undelivered_events() OWNER TO keyferry_dispatcher;
REVOKE ALL ON FUNCTION keyferry.backends_with_undelivered_events() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION keyferry.backends_with_undelivered_events() TO keyferry_app;

CREATE OR REPLACE FUNCTION keyferry.count_keys()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  INSERT INTO keyferry.key_counts (tenant_id, keys)
    SELECT c.tenant_id, CASE TG_OP WHEN 'INSERT' THEN count(*) ELSE -count(*) END FROM changed c GROUP BY c.tenant_id;
  RETURN NULL;
END
$function$
;
REVOKE ALL ON FUNCTION keyferry.count_keys() FROM PUBLIC;

CREATE OR REPLACE FUNCTION keyferry.current_tenant()
 RETURNS uuid
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$ SELECT nullif(current_setting('keyferry.tenant', true), '')::uuid $function$
;
REVOKE ALL ON FUNCTION keyferry.current_tenant() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION keyferry.current_tenant() TO keyferry_app;
GRANT EXECUTE ON FUNCTION keyferry.current_tenant() TO keyferry_dispatcher;

CREATE OR REPLACE FUNCTION keyferry.is_operator()
 RETURNS boolean
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$ SELECT coalesce(current_setting('keyferry.operator', true), '') = 'on' $function$
;
REVOKE ALL ON FUNCTION keyferry.is_operator() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION keyferry.is_operator() TO keyferry_app;

CREATE OR REPLACE FUNCTION keyferry.issuers_named(given text, meant text[], tenant text)
 RETURNS TABLE(tenant_id uuid, issuer_id uuid)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog'
AS $function$
  SELECT i.tenant_id, i.id FROM keyferry.token_issuers i
  WHERE i.issuer = given AND i.audiences && meant
    AND (tenant IS NULL
      OR i.tenant_id = (SELECT t.id FROM keyferry.tenants t WHERE tenant IN (t.id::text, t.name) ORDER BY t.id LIMIT 1))
  ORDER BY i.tenant_id, i.id LIMIT 100
$function$
;
ALTER FUNCTION keyferry.issuers_named(text,text[],text) OWNER TO keyferry_dispatcher;
REVOKE ALL ON FUNCTION keyferry.issuers_named(text,text[],text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION keyferry.issuers_named(text,text[],text) TO keyferry_app;

CREATE OR REPLACE FUNCTION keyferry.master_key_uses()
 RETURNS TABLE(master_key_id text, data_keys bigint)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog'
AS $function$
  SELECT e.master_key_id, count(*) FROM keyferry.encryption_keys e WHERE e.destroyed_at IS NULL GROUP BY 1
$function$
;
ALTER FUNCTION keyferry.master_key_uses() OWNER TO keyferry_dispatcher;
REVOKE ALL ON FUNCTION keyferry.master_key_uses() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION keyferry.master_key_uses() TO keyferry_app;

CREATE OR REPLACE FUNCTION keyferry.prune_audit(most integer)
 RETURNS TABLE(batches bigint, rows bigint, number bigint, hash bytea)
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'pg_catalog'
AS $function$
DECLARE
  tenant uuid := keyferry.current_tenant();
  pruned bigint;
  kept_seconds bigint;
  reached bigint;
BEGIN
  SELECT c.pruned_number, c.retention_seconds INTO pruned, kept_seconds
  FROM keyferry.audit_chains c WHERE c.tenant_id = tenant FOR UPDATE;
  SELECT coalesce(min(b.number) - 1, pruned + most) INTO reached FROM (
    SELECT b.number, b.last_at FROM keyferry.audit_batches b
    WHERE b.tenant_id = tenant AND b.number > pruned ORDER BY b.number LIMIT most) b
  WHERE b.last_at >= now() - make_interval(secs => kept_seconds);
  SELECT b.number, b.hash INTO number, hash FROM keyferry.audit_batches b
  WHERE b.tenant_id = tenant AND b.number <= reached AND b.number > pruned ORDER BY b.number DESC LIMIT 1;
  IF number IS NULL THEN RETURN; END IF;
  DELETE FROM keyferry.audit_log l USING keyferry.audit_batches b
  WHERE l.tenant_id = tenant AND b.tenant_id = tenant AND l.batch = b.id AND b.number <= reached;
  GET DIAGNOSTICS rows = ROW_COUNT;
  DELETE FROM keyferry.audit_batches b WHERE b.tenant_id = tenant AND b.number <= reached;
  GET DIAGNOSTICS batches = ROW_COUNT;
  UPDATE keyferry.audit_chains c SET pruned_number = prune_audit.number, pruned_hash = prune_audit.hash
  WHERE c.tenant_id = tenant;
  RETURN NEXT;
END
$function$
;
ALTER FUNCTION keyferry.prune_audit(integer) OWNER TO keyferry_dispatcher;
REVOKE ALL ON FUNCTION keyferry.prune_audit(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION keyferry.prune_audit(integer) TO keyferry_app;

CREATE OR REPLACE FUNCTION keyferry.tenants_deleted(given uuid[])
 RETURNS SETOF uuid
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog'
AS $function$
  SELECT t.id FROM keyferry.tenants t WHERE t.state = 'deleted' AND t.id = ANY (given)
$function$
;
ALTER FUNCTION keyferry.tenants_deleted(uuid[]) OWNER TO keyferry_dispatcher;
REVOKE ALL ON FUNCTION keyferry.tenants_deleted(uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION keyferry.tenants_deleted(uuid[]) TO keyferry_app;

CREATE OR REPLACE FUNCTION keyferry.tenants_due(at timestamp with time zone)
 RETURNS SETOF uuid
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog'
AS $function$
  SELECT DISTINCT b.tenant_id FROM keyferry.backends b
  WHERE b.state = 'active' AND b.next_sync_at <= at
    AND EXISTS (SELECT FROM keyferry.tenants t WHERE t.id = b.tenant_id AND t.state = 'active')
    AND NOT EXISTS (SELECT FROM keyferry.cycles c
                    WHERE c.backend_id = b.id AND c.state = 'open' AND c.scope = 'full')
$function$
;
ALTER FUNCTION keyferry.tenants_due(timestamp with time zone) OWNER TO keyferry_dispatcher;
REVOKE ALL ON FUNCTION keyferry.tenants_due(timestamp with time zone) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION keyferry.tenants_due(timestamp with time zone) TO keyferry_app;

CREATE OR REPLACE FUNCTION keyferry.tenants_kept()
 RETURNS SETOF uuid
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog'
AS $function$
  SELECT t.id FROM keyferry.tenants t WHERE t.state <> 'deleted'
$function$
;
ALTER FUNCTION keyferry.tenants_kept() OWNER TO keyferry_dispatcher;
REVOKE ALL ON FUNCTION keyferry.tenants_kept() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION keyferry.tenants_kept() TO keyferry_app;

CREATE OR REPLACE FUNCTION keyferry.tenants_to_purge(before timestamp with time zone)
 RETURNS SETOF uuid
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog'
AS $function$
  SELECT t.id FROM keyferry.tenants t
  WHERE t.state = 'deleted' AND t.purged_at IS NULL AND t.state_changed_at < before
$function$
;
ALTER FUNCTION keyferry.tenants_to_purge(timestamp with time zone) OWNER TO keyferry_dispatcher;
REVOKE ALL ON FUNCTION keyferry.tenants_to_purge(timestamp with time zone) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION keyferry.tenants_to_purge(timestamp with time zone) TO keyferry_app;

CREATE OR REPLACE FUNCTION keyferry.tenants_to_rewrap(current_master_key text)
 RETURNS SETOF uuid
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog'
AS $function$
  SELECT DISTINCT e.tenant_id FROM keyferry.encryption_keys e
  WHERE e.destroyed_at IS NULL AND (e.master_key_id <> current_master_key OR e.retired_at IS NOT NULL)
$function$
;
ALTER FUNCTION keyferry.tenants_to_rewrap(text) OWNER TO keyferry_dispatcher;
REVOKE ALL ON FUNCTION keyferry.tenants_to_rewrap(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION keyferry.tenants_to_rewrap(text) TO keyferry_app;

CREATE OR REPLACE FUNCTION keyferry.tenants_with_audit_to_anchor(before timestamp with time zone)
 RETURNS SETOF uuid
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog'
AS $function$
  SELECT c.tenant_id FROM keyferry.audit_chains c
  WHERE c.head_number > c.anchored_number AND (c.anchored_at IS NULL OR c.anchored_at <= before)
$function$
;
ALTER FUNCTION keyferry.tenants_with_audit_to_anchor(timestamp with time zone) OWNER TO keyferry_dispatcher;
REVOKE ALL ON FUNCTION keyferry.tenants_with_audit_to_anchor(timestamp with time zone) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION keyferry.tenants_with_audit_to_anchor(timestamp with time zone) TO keyferry_app;

CREATE OR REPLACE FUNCTION keyferry.tenants_with_audit_to_prune()
 RETURNS SETOF uuid
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog'
AS $function$
  SELECT c.tenant_id FROM keyferry.audit_chains c
  JOIN keyferry.audit_batches b ON b.tenant_id = c.tenant_id AND b.number = c.pruned_number + 1
  WHERE b.last_at < now() - make_interval(secs => c.retention_seconds)
$function$
;
ALTER FUNCTION keyferry.tenants_with_audit_to_prune() OWNER TO keyferry_dispatcher;
REVOKE ALL ON FUNCTION keyferry.tenants_with_audit_to_prune() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION keyferry.tenants_with_audit_to_prune() TO keyferry_app;

CREATE OR REPLACE FUNCTION keyferry.tenants_with_due_notices(at timestamp with time zone)
 RETURNS SETOF uuid
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog'
AS $function$
  SELECT DISTINCT c.tenant_id FROM keyferry.channels c
  WHERE c.state = 'active' AND (c.retry_at IS NULL OR c.retry_at <= at)
    AND EXISTS (SELECT FROM keyferry.tenants t WHERE t.id = c.tenant_id AND t.state = 'active')
    AND EXISTS (SELECT FROM keyferry.notices n WHERE n.channel_id = c.id AND n.state = 'pending'
                AND n.next_attempt_at <= at AND (n.claimed_until IS NULL OR n.claimed_until <= at))
$function$
;
ALTER FUNCTION keyferry.tenants_with_due_notices(timestamp with time zone) OWNER TO keyferry_dispatcher;
REVOKE ALL ON FUNCTION keyferry.tenants_with_due_notices(timestamp with time zone) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION keyferry.tenants_with_due_notices(timestamp with time zone) TO keyferry_app;

CREATE OR REPLACE FUNCTION keyferry.tenants_with_notices_to_collect(at timestamp with time zone)
 RETURNS SETOF uuid
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog'
AS $function$
  SELECT t.id FROM keyferry.tenants t LEFT JOIN keyferry.notification_cursors c ON c.tenant_id = t.id
  WHERE t.state = 'active'
    AND (EXISTS (SELECT FROM keyferry.outbox o WHERE o.tenant_id = t.id AND o.position > coalesce(c.position, 0))
      OR EXISTS (SELECT FROM keyferry.notices n
                 WHERE n.tenant_id = t.id AND n.state = 'collecting' AND n.ready_at <= at))
$function$
;
ALTER FUNCTION keyferry.tenants_with_notices_to_collect(timestamp with time zone) OWNER TO keyferry_dispatcher;
REVOKE ALL ON FUNCTION keyferry.tenants_with_notices_to_collect(timestamp with time zone) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION keyferry.tenants_with_notices_to_collect(timestamp with time zone) TO keyferry_app;

CREATE OR REPLACE FUNCTION keyferry.tenants_with_open_cycles()
 RETURNS SETOF uuid
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog'
AS $function$
  SELECT DISTINCT c.tenant_id FROM keyferry.cycles c
  WHERE c.state = 'open' AND EXISTS (SELECT FROM keyferry.tenants t WHERE t.id = c.tenant_id AND t.state = 'active')
$function$
;
ALTER FUNCTION keyferry.tenants_with_open_cycles() OWNER TO keyferry_dispatcher;
REVOKE ALL ON FUNCTION keyferry.tenants_with_open_cycles() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION keyferry.tenants_with_open_cycles() TO keyferry_app;

CREATE OR REPLACE FUNCTION keyferry.tenants_with_unsealed_audit()
 RETURNS SETOF uuid
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog'
AS $function$
  SELECT DISTINCT b.tenant_id FROM keyferry.audit_batches b WHERE b.number IS NULL
$function$
;
ALTER FUNCTION keyferry.tenants_with_unsealed_audit() OWNER TO keyferry_dispatcher;
REVOKE ALL ON FUNCTION keyferry.tenants_with_unsealed_audit() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION keyferry.tenants_with_unsealed_audit() TO keyferry_app;

CREATE OR REPLACE FUNCTION keyferry.token_owner(given bytea)
 RETURNS TABLE(tenant_id uuid, token_id uuid)
 LANGUAGE sql
 STABLE SECURITY DEFINER
 SET search_path TO 'pg_catalog'
AS $function$
  SELECT t.tenant_id, t.id FROM keyferry.tokens t WHERE t.digest = given
$function$
;
ALTER FUNCTION keyferry.token_owner(bytea) OWNER TO keyferry_dispatcher;
REVOKE ALL ON FUNCTION keyferry.token_owner(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION keyferry.token_owner(bytea) TO keyferry_app;

CREATE OR REPLACE FUNCTION keyferry.write_audit(tenant uuid, sharing integer[], targets text[], request_ids uuid[], ats timestamp with time zone[], actors text[], actions text[], outcomes text[], addresses text[], details jsonb[])
 RETURNS void
 LANGUAGE plpgsql
AS $function$
DECLARE
  batch bigint;
BEGIN
  PERFORM pg_catalog.set_config('keyferry.tenant', tenant::text, true);
  INSERT INTO keyferry.audit_batches (tenant_id, rows, at, last_at)
  SELECT tenant, cardinality(sharing), min(t.at), max(t.at) FROM unnest(ats) AS t (at) RETURNING id INTO batch;
  INSERT INTO keyferry.audit_log
    (tenant_id, batch, place, at, outcome, actor, action, target, request_id, address, details)
  SELECT tenant, batch, r.place, s.at, s.outcome, s.actor, s.action, r.target, r.request_id, s.address, s.details
  FROM unnest(sharing, targets, request_ids) WITH ORDINALITY AS r (shared, target, request_id, place)
  JOIN unnest(ats, actors, actions, outcomes, addresses, details) WITH ORDINALITY
    AS s (at, actor, action, outcome, address, details, place) ON s.place = r.shared;
END
$function$
;
REVOKE ALL ON FUNCTION keyferry.write_audit(uuid,integer[],text[],uuid[],timestamp with time zone[],text[],text[],text[],text[],jsonb[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION keyferry.write_audit(uuid,integer[],text[],uuid[],timestamp with time zone[],text[],text[],text[],text[],jsonb[]) TO keyferry_app;
