-- Which container a backend's keys come from, how many versions are kept, and keys that hold a backend's credentials.

ALTER TABLE keyferry.backends
  -- What the vault itself calls the container, as first seen: another one under the same settings is another container.
  ADD COLUMN container_id text,
  ADD COLUMN max_versions integer NOT NULL DEFAULT 10 CHECK (max_versions BETWEEN 1 AND 100),
  -- Whether versions that the vault made before they were seen here are carried as well: a call each.
  ADD COLUMN version_history boolean NOT NULL DEFAULT false,
  -- Local paths of the keys that this backend's credentials are in.
  ADD COLUMN credential_paths text[] NOT NULL DEFAULT '{}';

-- A key's backend is of its tenant, and that one exists: to look twice costs every first sync.
ALTER TABLE keyferry.keys DROP CONSTRAINT keys_tenant_id_fkey;
