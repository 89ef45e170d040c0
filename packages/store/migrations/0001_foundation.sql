-- The key store. Every table of a tenant has forced row-level security; the roles are made here, without a login.
--
-- keyferry_app         what scheduler, worker and API are: sees the tenant that its transaction has set, and no other
-- keyferry_dispatcher  owns the few functions that work across tenants and return ids only; nobody connects as it
-- the owner            runs migrations

DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'keyferry_app') THEN
    CREATE ROLE keyferry_app NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'keyferry_dispatcher') THEN
    CREATE ROLE keyferry_dispatcher NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
  NULL; -- roles belong to the whole cluster: a migration of another database made them at the same moment
END
$$;

DO $$
BEGIN
  EXECUTE format('GRANT keyferry_app, keyferry_dispatcher TO %I', current_user);
END
$$;

GRANT USAGE ON SCHEMA keyferry TO keyferry_app, keyferry_dispatcher;

-- The tenant of this transaction, or null. `SET LOCAL` leaves an empty text behind when it ends.
CREATE FUNCTION keyferry.current_tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT nullif(current_setting('keyferry.tenant', true), '')::uuid $$;

CREATE TABLE keyferry.tenants (
  id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name       text NOT NULL UNIQUE,
  created_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO keyferry.tenants (id, name) VALUES ('00000000-0000-4000-8000-000000000001', 'default');

-- Which master key the data keys are wrapped by, and a value that only that key opens.
CREATE TABLE keyferry.master_keys (
  id          text PRIMARY KEY,
  check_value bytea NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE keyferry.encryption_keys (
  id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  tenant_id     uuid NOT NULL REFERENCES keyferry.tenants,
  purpose       text NOT NULL CHECK (purpose IN ('data', 'digest')),
  master_key_id text NOT NULL REFERENCES keyferry.master_keys,
  wrapped       bytea NOT NULL,
  created_at    timestamptz NOT NULL DEFAULT now(),
  retired_at    timestamptz,
  UNIQUE (tenant_id, id)
);
CREATE UNIQUE INDEX encryption_keys_current ON keyferry.encryption_keys (tenant_id, purpose) WHERE retired_at IS NULL;

CREATE TABLE keyferry.backends (
  id                     uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  tenant_id              uuid NOT NULL REFERENCES keyferry.tenants,
  name                   text NOT NULL,
  kind                   text NOT NULL,
  config                 jsonb NOT NULL,
  credentials            bytea NOT NULL,
  credentials_key_id     uuid NOT NULL,
  credentials_version    integer NOT NULL DEFAULT 1,
  prefix                 text NOT NULL,
  sync_paths             text[] NOT NULL,
  exclude_paths          text[] NOT NULL,
  path_mapping           jsonb NOT NULL,
  sync_interval_seconds  integer NOT NULL CHECK (sync_interval_seconds BETWEEN 5 AND 604800),
  auto_deprecate         boolean NOT NULL,
  backup_deprecated_keys boolean NOT NULL,
  grace_period_seconds   integer NOT NULL CHECK (grace_period_seconds > 0),
  retain_archived_seconds integer NOT NULL CHECK (retain_archived_seconds > 0),
  mode                   text NOT NULL DEFAULT 'sync' CHECK (mode IN ('proxy', 'sync')),
  access_mode            text NOT NULL DEFAULT 'read_only' CHECK (access_mode IN ('read_only', 'read_and_write')),
  writes                 text NOT NULL DEFAULT 'disabled' CHECK (writes IN ('disabled', 'local', 'write_through')),
  conflict_policy        text NOT NULL DEFAULT 'backend_wins'
                         CHECK (conflict_policy IN ('backend_wins', 'local_wins', 'manual')),
  state                  text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'paused', 'removed')),
  phase                  integer NOT NULL,
  next_sync_at           timestamptz NOT NULL,
  event_seq              bigint NOT NULL DEFAULT 0,
  flush_generation       bigint NOT NULL DEFAULT 0,
  failed_cycles          integer NOT NULL DEFAULT 0,
  connection_failures    integer NOT NULL DEFAULT 0,
  unreachable_since      timestamptz,
  last_success_at        timestamptz,
  last_full_opened_at    timestamptz,
  latency_ms             integer,
  server                 text,
  created_at             timestamptz NOT NULL,
  updated_at             timestamptz NOT NULL,
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, credentials_key_id) REFERENCES keyferry.encryption_keys (tenant_id, id)
);
CREATE UNIQUE INDEX backends_name ON keyferry.backends (tenant_id, name) WHERE state <> 'removed';
CREATE INDEX backends_due ON keyferry.backends (next_sync_at) WHERE state = 'active' AND mode = 'sync';

CREATE TABLE keyferry.holds (
  id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  tenant_id  uuid NOT NULL REFERENCES keyferry.tenants,
  backend_id uuid NOT NULL,
  cycle_id   uuid NOT NULL,
  state      text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'approved', 'rejected', 'ended')),
  candidates integer NOT NULL,
  keys       integer NOT NULL,
  opened_at  timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  decided_at timestamptz,
  decided_by text,
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, backend_id) REFERENCES keyferry.backends (tenant_id, id)
);
CREATE UNIQUE INDEX holds_one_open ON keyferry.holds (backend_id) WHERE state = 'open';

-- One mapped secret. remote_hash is the first half of the SHA-256 of remote_path: a short name for index and set.
CREATE TABLE keyferry.keys (
  id                uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  tenant_id         uuid NOT NULL REFERENCES keyferry.tenants,
  backend_id        uuid NOT NULL,
  remote_path       text NOT NULL,
  remote_hash       bytea NOT NULL CHECK (length(remote_hash) = 16),
  local_path        text COLLATE "C" NOT NULL, -- bytes, not a locale, decide the order of pages
  type              text NOT NULL CHECK (type IN ('api_key', 'virtual_key', 'json', 'certificate', 'ssh_key', 'opaque')),
  state             text NOT NULL CHECK (state IN ('active', 'deprecated', 'archived', 'expired')),
  revoked           boolean NOT NULL DEFAULT false,
  row_version       bigint NOT NULL DEFAULT 1,
  version           integer NOT NULL,
  content_type      text NOT NULL,
  metadata          jsonb NOT NULL,
  remote_version    text,
  remote_revision   text,
  remote_created_at timestamptz,
  base_digest       bytea NOT NULL,
  local_digest      bytea NOT NULL,
  remote_digest     bytea NOT NULL,
  digest_key_id     uuid NOT NULL,
  owned             boolean NOT NULL DEFAULT false,
  tombstone         boolean NOT NULL DEFAULT false,
  expires_at        timestamptz,
  state_changed_at  timestamptz NOT NULL,
  deprecated_at     timestamptz,
  hold_id           uuid,
  last_seen_at      timestamptz NOT NULL,
  created_at        timestamptz NOT NULL,
  updated_at        timestamptz NOT NULL,
  UNIQUE (tenant_id, id),
  UNIQUE (backend_id, remote_hash),
  UNIQUE (tenant_id, local_path),
  FOREIGN KEY (tenant_id, backend_id) REFERENCES keyferry.backends (tenant_id, id),
  FOREIGN KEY (tenant_id, digest_key_id) REFERENCES keyferry.encryption_keys (tenant_id, id),
  FOREIGN KEY (tenant_id, hold_id) REFERENCES keyferry.holds (tenant_id, id)
);
CREATE INDEX keys_on_the_way ON keyferry.keys (backend_id, state, state_changed_at) WHERE state <> 'active';
CREATE INDEX keys_expiring ON keyferry.keys (tenant_id, expires_at)
  WHERE expires_at IS NOT NULL AND state IN ('active', 'deprecated');

CREATE TABLE keyferry.hold_keys (
  hold_id   uuid NOT NULL,
  key_id    uuid NOT NULL,
  tenant_id uuid NOT NULL,
  PRIMARY KEY (hold_id, key_id),
  FOREIGN KEY (tenant_id, hold_id) REFERENCES keyferry.holds (tenant_id, id) ON DELETE CASCADE,
  FOREIGN KEY (tenant_id, key_id) REFERENCES keyferry.keys (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX hold_keys_key ON keyferry.hold_keys (key_id);

-- The associated data of a ciphertext binds tenant, key and version, so a row can't pass for another.
CREATE TABLE keyferry.key_versions (
  key_id            uuid NOT NULL,
  version           integer NOT NULL,
  tenant_id         uuid NOT NULL,
  ciphertext        bytea NOT NULL,
  encryption_key_id uuid NOT NULL,
  content_type      text NOT NULL,
  metadata          jsonb NOT NULL,
  source            text NOT NULL CHECK (source IN ('vault', 'local')),
  remote_version    text,
  remote_created_at timestamptz,
  created_at        timestamptz NOT NULL,
  PRIMARY KEY (key_id, version),
  FOREIGN KEY (tenant_id, key_id) REFERENCES keyferry.keys (tenant_id, id) ON DELETE CASCADE,
  FOREIGN KEY (tenant_id, encryption_key_id) REFERENCES keyferry.encryption_keys (tenant_id, id)
);

-- A backup outlives its key, so it refers to none.
CREATE TABLE keyferry.backups (
  id                uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  tenant_id         uuid NOT NULL REFERENCES keyferry.tenants,
  backend_id        uuid NOT NULL,
  key_id            uuid NOT NULL,
  version           integer NOT NULL,
  local_path        text NOT NULL,
  remote_path       text NOT NULL,
  type              text NOT NULL,
  ciphertext        bytea NOT NULL,
  encryption_key_id uuid NOT NULL,
  content_type      text NOT NULL,
  metadata          jsonb NOT NULL,
  reason            text NOT NULL,
  created_at        timestamptz NOT NULL,
  FOREIGN KEY (tenant_id, backend_id) REFERENCES keyferry.backends (tenant_id, id),
  FOREIGN KEY (tenant_id, encryption_key_id) REFERENCES keyferry.encryption_keys (tenant_id, id)
);
CREATE INDEX backups_key ON keyferry.backups (tenant_id, key_id);

CREATE TABLE keyferry.cycles (
  id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  tenant_id        uuid NOT NULL REFERENCES keyferry.tenants,
  backend_id       uuid NOT NULL,
  scope            text NOT NULL CHECK (scope IN ('full', 'narrowed')),
  trigger          text NOT NULL CHECK (trigger IN ('schedule', 'hand', 'push', 'replay')),
  requested_by     text,
  replay_of        uuid,
  state            text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'completed', 'failed')),
  stage            text NOT NULL DEFAULT 'discover'
                   CHECK (stage IN ('discover', 'validate', 'sync', 'deprecate', 'notify')),
  epoch            bigint NOT NULL DEFAULT 0,
  dispatch         integer NOT NULL DEFAULT 1,
  dispatched_at    timestamptz NOT NULL,
  attempts         integer NOT NULL DEFAULT 0,
  listing_complete boolean NOT NULL DEFAULT false,
  container_proven boolean NOT NULL DEFAULT false,
  shards_total     integer NOT NULL DEFAULT 0,
  shards_left      integer NOT NULL DEFAULT 0,
  counts           jsonb NOT NULL DEFAULT '{}',
  calls            jsonb NOT NULL DEFAULT '{}',
  issues           integer NOT NULL DEFAULT 0,
  error_class      text,
  error_code       text,
  error_message    text,
  opened_at        timestamptz NOT NULL,
  closed_at        timestamptz,
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, backend_id) REFERENCES keyferry.backends (tenant_id, id)
);
CREATE UNIQUE INDEX cycles_one_open ON keyferry.cycles (backend_id, scope) WHERE state = 'open';
CREATE INDEX cycles_of_backend ON keyferry.cycles (tenant_id, backend_id, opened_at DESC, id DESC);
CREATE INDEX cycles_of_tenant ON keyferry.cycles (tenant_id, opened_at DESC, id DESC);
CREATE INDEX cycles_closed ON keyferry.cycles (closed_at) WHERE state <> 'open';

-- Refs of a cycle that still need work, at most 500: [remote path, local path or null] each. What is done leaves the row.
-- A few of a cycle's shards are released to the queue at a time, so that a large backend doesn't fill it.
CREATE TABLE keyferry.shards (
  cycle_id      uuid NOT NULL,
  number        integer NOT NULL,
  tenant_id     uuid NOT NULL,
  refs          jsonb NOT NULL,
  state         text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done', 'failed')),
  epoch         bigint NOT NULL DEFAULT 0,
  released      boolean NOT NULL DEFAULT false,
  dispatch      integer NOT NULL DEFAULT 0,
  dispatched_at timestamptz NOT NULL,
  attempts      integer NOT NULL DEFAULT 0,
  counts        jsonb NOT NULL DEFAULT '{}',
  calls         jsonb NOT NULL DEFAULT '{}',
  PRIMARY KEY (cycle_id, number),
  FOREIGN KEY (tenant_id, cycle_id) REFERENCES keyferry.cycles (tenant_id, id) ON DELETE CASCADE
);

-- Keys that a cycle may remove: those the complete listing lacked or showed deleted, and those a read found gone.
CREATE TABLE keyferry.candidates (
  cycle_id  uuid NOT NULL,
  key_id    uuid NOT NULL,
  tenant_id uuid NOT NULL,
  PRIMARY KEY (cycle_id, key_id),
  FOREIGN KEY (tenant_id, cycle_id) REFERENCES keyferry.cycles (tenant_id, id) ON DELETE CASCADE,
  FOREIGN KEY (tenant_id, key_id) REFERENCES keyferry.keys (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX candidates_key ON keyferry.candidates (key_id);

-- Stages and shards that failed: what operators list and replay. shard -1 is a stage without shards.
CREATE TABLE keyferry.failures (
  id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  tenant_id       uuid NOT NULL REFERENCES keyferry.tenants,
  backend_id      uuid NOT NULL,
  cycle_id        uuid NOT NULL,
  stage           text NOT NULL,
  shard           integer NOT NULL DEFAULT -1,
  state           text NOT NULL CHECK (state IN ('retrying', 'failed', 'replayed', 'resolved')),
  class           text,
  code            text NOT NULL,
  message         text NOT NULL,
  attempts        integer NOT NULL,
  first_failed_at timestamptz NOT NULL,
  last_failed_at  timestamptz NOT NULL,
  UNIQUE (cycle_id, stage, shard),
  FOREIGN KEY (tenant_id, backend_id) REFERENCES keyferry.backends (tenant_id, id),
  FOREIGN KEY (tenant_id, cycle_id) REFERENCES keyferry.cycles (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX failures_open ON keyferry.failures (tenant_id, last_failed_at DESC, id) WHERE state IN ('retrying', 'failed');

-- One row for each secret that was skipped, failed, invalid, conflicting, or whose removal was not confirmed.
CREATE TABLE keyferry.cycle_issues (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id   uuid NOT NULL,
  cycle_id    uuid NOT NULL,
  remote_path text NOT NULL,
  outcome     text NOT NULL,
  code        text NOT NULL,
  class       text,
  message     text NOT NULL,
  FOREIGN KEY (tenant_id, cycle_id) REFERENCES keyferry.cycles (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX cycle_issues_cycle ON keyferry.cycle_issues (cycle_id, id);

CREATE TABLE keyferry.outbox (
  id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  position     bigint GENERATED ALWAYS AS IDENTITY,
  tenant_id    uuid NOT NULL REFERENCES keyferry.tenants,
  backend_id   uuid NOT NULL,
  seq          bigint NOT NULL,
  type         text NOT NULL,
  data         jsonb NOT NULL,
  occurred_at  timestamptz NOT NULL,
  delivered_at timestamptz,
  UNIQUE (backend_id, seq),
  FOREIGN KEY (tenant_id, backend_id) REFERENCES keyferry.backends (tenant_id, id)
);
CREATE INDEX outbox_undelivered ON keyferry.outbox (backend_id, seq) WHERE delivered_at IS NULL;
CREATE INDEX outbox_position ON keyferry.outbox (tenant_id, position);
CREATE INDEX outbox_delivered ON keyferry.outbox (delivered_at) WHERE delivered_at IS NOT NULL;

CREATE TABLE keyferry.audit_log (
  id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id uuid NOT NULL REFERENCES keyferry.tenants,
  at        timestamptz NOT NULL,
  actor     text NOT NULL,
  action    text NOT NULL,
  target    text NOT NULL,
  details   jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_log_tenant ON keyferry.audit_log (tenant_id, id);
