-- A key's whole life: when what is due, what a person said, and why a key is as it is.

ALTER TABLE keyferry.backends
  -- What values have to look like, and what differs by path; both ordered, the first rule that matches.
  ADD COLUMN validation_rules jsonb NOT NULL DEFAULT '[]',
  ADD COLUMN lifecycle_rules jsonb NOT NULL DEFAULT '[]',
  ADD COLUMN rotation_overlap_seconds integer NOT NULL DEFAULT 0 CHECK (rotation_overlap_seconds >= 0),
  -- So many seconds before it happens people are told.
  ADD COLUMN archive_reminders integer[] NOT NULL DEFAULT '{604800,86400,3600}',
  ADD COLUMN expiry_reminders integer[] NOT NULL DEFAULT '{2592000,604800,86400}',
  ADD COLUMN guard_percent integer NOT NULL DEFAULT 20 CHECK (guard_percent BETWEEN 1 AND 50),
  ADD COLUMN guard_at_least integer NOT NULL DEFAULT 10 CHECK (guard_at_least >= 2),
  -- Whether the times of all its keys are reckoned by the settings of now, and whether all have the names that the path
  -- mapping of now gives them. Until now a mapping could not be changed while there were keys.
  ADD COLUMN times_current boolean NOT NULL DEFAULT false,
  ADD COLUMN names_current boolean NOT NULL DEFAULT true;

ALTER TABLE keyferry.keys
  -- When what is due, each null where it isn't to be: reckoned in one place from the backend's settings.
  ADD COLUMN archive_at timestamptz,
  ADD COLUMN purge_at timestamptz,
  ADD COLUMN archive_reminder_at timestamptz,
  ADD COLUMN expiry_reminder_at timestamptz,
  ADD COLUMN rotation_due_at timestamptz,
  ADD COLUMN rotation_told boolean NOT NULL DEFAULT false,
  -- When the vault made the current value; when the key came to be, where it doesn't say so.
  ADD COLUMN value_at timestamptz,
  ADD COLUMN rolled_back boolean NOT NULL DEFAULT false,
  -- Gone from the vault, while auto_deprecate is off.
  ADD COLUMN missing_since timestamptz,
  -- Gone from the vault, and kept by a person's word until it is found again.
  ADD COLUMN kept boolean NOT NULL DEFAULT false,
  ADD COLUMN deprecated_for text CHECK (deprecated_for IN ('absent', 'out_of_scope')),
  -- The cycle that discovered it.
  ADD COLUMN created_in uuid;

-- What is due is looked for a backend at a time. The tenant leads, since row-level security asks for it each time: where
-- Postgres has not counted a tenant's keys yet, it would rather read all of them to find those that are a backend's as well.
CREATE INDEX keys_to_archive ON keyferry.keys (tenant_id, backend_id, archive_at) WHERE archive_at IS NOT NULL;
CREATE INDEX keys_to_purge ON keyferry.keys (tenant_id, backend_id, purge_at) WHERE purge_at IS NOT NULL;
CREATE INDEX keys_archive_reminders ON keyferry.keys (tenant_id, backend_id, archive_reminder_at)
  WHERE archive_reminder_at IS NOT NULL;
CREATE INDEX keys_expiry_reminders ON keyferry.keys (tenant_id, backend_id, expiry_reminder_at)
  WHERE expiry_reminder_at IS NOT NULL;
CREATE INDEX keys_to_rotate ON keyferry.keys (tenant_id, backend_id, rotation_due_at)
  WHERE rotation_due_at IS NOT NULL AND NOT rotation_told;
DROP INDEX keyferry.keys_expiring;
CREATE INDEX keys_to_expire ON keyferry.keys (tenant_id, backend_id, expires_at)
  WHERE expires_at IS NOT NULL AND state IN ('active', 'deprecated');

ALTER TABLE keyferry.key_versions
  -- Until when it may still be read by its number, once another is current.
  ADD COLUMN readable_until timestamptz,
  DROP CONSTRAINT key_versions_source_check,
  ADD CONSTRAINT key_versions_source_check CHECK (source IN ('vault', 'local', 'rollback', 'backup'));

ALTER TABLE keyferry.backups
  ADD COLUMN restored_at timestamptz,
  ADD COLUMN restored_by text;
CREATE INDEX backups_of_tenant ON keyferry.backups (tenant_id, created_at DESC, id DESC);

-- Why a key may go in this cycle: missing from the vault, or left out by the settings, or to have another name.
ALTER TABLE keyferry.candidates
  ADD COLUMN cause text NOT NULL DEFAULT 'absent' CHECK (cause IN ('absent', 'out_of_scope', 'renamed')),
  -- The name that a key is to have.
  ADD COLUMN new_path text COLLATE "C";
ALTER TABLE keyferry.hold_keys
  ADD COLUMN new_path text COLLATE "C",
  ADD COLUMN cause text NOT NULL DEFAULT 'absent' CHECK (cause IN ('absent', 'out_of_scope', 'renamed', 'removal'));

ALTER TABLE keyferry.holds
  -- What opened it: a cycle, or a person who wants to remove the backend.
  ADD COLUMN kind text NOT NULL DEFAULT 'cycle' CHECK (kind IN ('cycle', 'removal')),
  ALTER COLUMN cycle_id DROP NOT NULL;
DROP INDEX keyferry.holds_one_open;
CREATE UNIQUE INDEX holds_one_open ON keyferry.holds (backend_id, kind) WHERE state = 'open';

-- What happened to keys after they were discovered, and who or what did it. Outlives the keys, as the audit log does.
CREATE TABLE keyferry.key_changes (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id uuid NOT NULL REFERENCES keyferry.tenants (id),
  key_id uuid NOT NULL,
  at timestamptz NOT NULL,
  change text NOT NULL,
  from_state text,
  to_state text,
  version integer,
  cycle_id uuid,
  actor text,
  reason text
);
CREATE INDEX key_changes_key ON keyferry.key_changes (tenant_id, key_id, id);

-- A key that was purged is found again by its path or id.
CREATE INDEX audit_log_purged_path ON keyferry.audit_log (tenant_id, target) WHERE action = 'key.purged';
CREATE INDEX audit_log_purged_key ON keyferry.audit_log (tenant_id, (details ->> 'key_id')) WHERE action = 'key.purged';

-- What is wrong with secrets as the vault has them now, whether or not there is a key. One row a secret, and none for most.
CREATE TABLE keyferry.findings (
  backend_id uuid NOT NULL,
  remote_hash bytea NOT NULL CHECK (length(remote_hash) = 16),
  tenant_id uuid NOT NULL,
  remote_path text NOT NULL,
  -- Whether the value was refused; else it is carried, with a warning.
  rejected boolean NOT NULL,
  -- [{code, message}], never a value.
  problems jsonb NOT NULL,
  remote_revision text,
  since timestamptz NOT NULL,
  -- The cycle that last found them.
  found_in uuid NOT NULL,
  PRIMARY KEY (backend_id, remote_hash),
  FOREIGN KEY (tenant_id, backend_id) REFERENCES keyferry.backends (tenant_id, id)
);

DO $$
DECLARE
  tenant_table text;
BEGIN
  FOREACH tenant_table IN ARRAY ARRAY['key_changes', 'findings'] LOOP
    EXECUTE format('ALTER TABLE keyferry.%I ENABLE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('ALTER TABLE keyferry.%I FORCE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('CREATE POLICY tenant ON keyferry.%I TO keyferry_app
      USING (tenant_id = (SELECT keyferry.current_tenant())) WITH CHECK (tenant_id = (SELECT keyferry.current_tenant()))',
      tenant_table);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON keyferry.%I TO keyferry_app', tenant_table);
  END LOOP;
END
$$;
REVOKE UPDATE, DELETE ON keyferry.key_changes FROM keyferry_app;
