-- What tenants are allowed, what becomes of those that are suspended or deleted, and how many keys each has.

-- A name is free again once its tenant is deleted.
ALTER TABLE keyferry.tenants
  DROP CONSTRAINT tenants_name_key,
  -- When the last row of a deleted tenant was removed.
  ADD COLUMN purged_at timestamptz;
CREATE UNIQUE INDEX tenants_name ON keyferry.tenants (name) WHERE state <> 'deleted';

-- A tenant sees itself, and may lock its row, so that what is counted against a limit is counted once. It changes nothing
-- of it: that is an operator's.
DROP POLICY tenant ON keyferry.tenants;
CREATE POLICY tenant ON keyferry.tenants FOR SELECT TO keyferry_app USING (id = (SELECT keyferry.current_tenant()));
CREATE POLICY tenant_lock ON keyferry.tenants FOR UPDATE TO keyferry_app
  USING (id = (SELECT keyferry.current_tenant())) WITH CHECK (false);

-- How many keys a tenant has: the sum of its rows. Each statement that adds or removes keys adds a row, so that nobody waits
-- for anybody; they are summed up now and then.
CREATE TABLE keyferry.key_counts (
  tenant_id uuid NOT NULL REFERENCES keyferry.tenants,
  keys      bigint NOT NULL
);
CREATE INDEX key_counts_tenant ON keyferry.key_counts (tenant_id);
-- Else an owner who is no superuser would see no row to count.
ALTER TABLE keyferry.keys NO FORCE ROW LEVEL SECURITY;
INSERT INTO keyferry.key_counts (tenant_id, keys) SELECT k.tenant_id, count(*) FROM keyferry.keys k GROUP BY k.tenant_id;
ALTER TABLE keyferry.keys FORCE ROW LEVEL SECURITY;
ALTER TABLE keyferry.key_counts ENABLE ROW LEVEL SECURITY;
ALTER TABLE keyferry.key_counts FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON keyferry.key_counts TO keyferry_app
  USING (tenant_id = (SELECT keyferry.current_tenant())) WITH CHECK (tenant_id = (SELECT keyferry.current_tenant()));
GRANT SELECT, INSERT, UPDATE, DELETE ON keyferry.key_counts TO keyferry_app;

CREATE FUNCTION keyferry.count_keys() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO keyferry.key_counts (tenant_id, keys)
    SELECT c.tenant_id, CASE TG_OP WHEN 'INSERT' THEN count(*) ELSE -count(*) END FROM changed c GROUP BY c.tenant_id;
  RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION keyferry.count_keys() FROM PUBLIC;
CREATE TRIGGER count_added AFTER INSERT ON keyferry.keys
  REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION keyferry.count_keys();
CREATE TRIGGER count_removed AFTER DELETE ON keyferry.keys
  REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION keyferry.count_keys();

-- A tenant that is suspended, or on its way out, has no work: what it has begun waits.
CREATE OR REPLACE FUNCTION keyferry.tenants_with_open_cycles() RETURNS SETOF uuid
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT DISTINCT c.tenant_id FROM keyferry.cycles c
  WHERE c.state = 'open' AND EXISTS (SELECT FROM keyferry.tenants t WHERE t.id = c.tenant_id AND t.state = 'active')
$$;

CREATE OR REPLACE FUNCTION keyferry.backends_with_undelivered_events() RETURNS TABLE (tenant_id uuid, backend_id uuid)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT DISTINCT o.tenant_id, o.backend_id FROM keyferry.outbox o
  WHERE o.delivered_at IS NULL
    AND EXISTS (SELECT FROM keyferry.tenants t WHERE t.id = o.tenant_id AND t.state = 'active')
$$;

CREATE OR REPLACE FUNCTION keyferry.tenants_with_notices_to_collect(at timestamptz) RETURNS SETOF uuid
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT t.id FROM keyferry.tenants t LEFT JOIN keyferry.notification_cursors c ON c.tenant_id = t.id
  WHERE t.state = 'active'
    AND (EXISTS (SELECT FROM keyferry.outbox o WHERE o.tenant_id = t.id AND o.position > coalesce(c.position, 0))
      OR EXISTS (SELECT FROM keyferry.notices n
                 WHERE n.tenant_id = t.id AND n.state = 'collecting' AND n.ready_at <= at))
$$;

CREATE OR REPLACE FUNCTION keyferry.tenants_with_due_notices(at timestamptz) RETURNS SETOF uuid
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT DISTINCT c.tenant_id FROM keyferry.channels c
  WHERE c.state = 'active' AND (c.retry_at IS NULL OR c.retry_at <= at)
    AND EXISTS (SELECT FROM keyferry.tenants t WHERE t.id = c.tenant_id AND t.state = 'active')
    AND EXISTS (SELECT FROM keyferry.notices n WHERE n.channel_id = c.id AND n.state = 'pending'
                AND n.next_attempt_at <= at AND (n.claimed_until IS NULL OR n.claimed_until <= at))
$$;

-- Those that still have what is theirs, suspended ones too.
CREATE FUNCTION keyferry.tenants_kept() RETURNS SETOF uuid
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT t.id FROM keyferry.tenants t WHERE t.state <> 'deleted'
$$;

-- Those that were deleted before a time, and still have rows.
CREATE FUNCTION keyferry.tenants_to_purge(before timestamptz) RETURNS SETOF uuid
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT t.id FROM keyferry.tenants t
  WHERE t.state = 'deleted' AND t.purged_at IS NULL AND t.state_changed_at < before
$$;

-- Which of these are deleted: who has something of them in memory asks.
CREATE FUNCTION keyferry.tenants_deleted(given uuid[]) RETURNS SETOF uuid
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT t.id FROM keyferry.tenants t WHERE t.state = 'deleted' AND t.id = ANY (given)
$$;

GRANT SELECT (state_changed_at, purged_at) ON keyferry.tenants TO keyferry_dispatcher;
GRANT CREATE ON SCHEMA keyferry TO keyferry_dispatcher;
ALTER FUNCTION keyferry.tenants_kept() OWNER TO keyferry_dispatcher;
ALTER FUNCTION keyferry.tenants_to_purge(timestamptz) OWNER TO keyferry_dispatcher;
ALTER FUNCTION keyferry.tenants_deleted(uuid[]) OWNER TO keyferry_dispatcher;
REVOKE CREATE ON SCHEMA keyferry FROM keyferry_dispatcher;
REVOKE ALL ON FUNCTION keyferry.tenants_kept(), keyferry.tenants_to_purge(timestamptz), keyferry.tenants_deleted(uuid[])
  FROM PUBLIC;
GRANT EXECUTE ON FUNCTION keyferry.tenants_kept(), keyferry.tenants_to_purge(timestamptz),
  keyferry.tenants_deleted(uuid[]) TO keyferry_app;
