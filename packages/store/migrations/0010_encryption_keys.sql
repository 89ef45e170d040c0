-- Data keys that take turns, and master keys that do.

ALTER TABLE keyferry.encryption_keys
  -- A new data key is made known before anybody seals with it; the one before is retired at the same moment.
  ADD COLUMN current_from timestamptz NOT NULL DEFAULT now(),
  -- Its bytes are gone, and what it sealed can't be opened by anyone.
  ADD COLUMN destroyed_at timestamptz,
  ADD CONSTRAINT encryption_keys_destroyed_check CHECK ((destroyed_at IS NOT NULL) = (wrapped = ''));

-- Which ciphertexts a data key has left, also asked by the foreign keys when one is deleted.
CREATE INDEX key_versions_encryption_key ON keyferry.key_versions (tenant_id, encryption_key_id);
CREATE INDEX backups_encryption_key ON keyferry.backups (tenant_id, encryption_key_id);

CREATE POLICY dispatch ON keyferry.encryption_keys FOR SELECT TO keyferry_dispatcher USING (true);
GRANT SELECT (tenant_id, master_key_id, retired_at, destroyed_at) ON keyferry.encryption_keys TO keyferry_dispatcher;

-- How many data keys each master key wraps: one that wraps some is needed.
CREATE FUNCTION keyferry.master_key_uses() RETURNS TABLE (master_key_id text, data_keys bigint)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT e.master_key_id, count(*) FROM keyferry.encryption_keys e WHERE e.destroyed_at IS NULL GROUP BY 1
$$;

-- Tenants with data keys that another master key wraps, or that are retired; those that are on their way out as well.
CREATE FUNCTION keyferry.tenants_to_rewrap(current_master_key text) RETURNS SETOF uuid
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT DISTINCT e.tenant_id FROM keyferry.encryption_keys e
  WHERE e.destroyed_at IS NULL AND (e.master_key_id <> current_master_key OR e.retired_at IS NOT NULL)
$$;

GRANT CREATE ON SCHEMA keyferry TO keyferry_dispatcher;
ALTER FUNCTION keyferry.master_key_uses() OWNER TO keyferry_dispatcher;
ALTER FUNCTION keyferry.tenants_to_rewrap(text) OWNER TO keyferry_dispatcher;
REVOKE CREATE ON SCHEMA keyferry FROM keyferry_dispatcher;
REVOKE ALL ON FUNCTION keyferry.master_key_uses(), keyferry.tenants_to_rewrap(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION keyferry.master_key_uses(), keyferry.tenants_to_rewrap(text) TO keyferry_app;
