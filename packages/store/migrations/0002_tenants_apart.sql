-- Who may see what: a tenant its rows, the dispatcher ids, the application what its transaction has set.

-- Row-level security: one policy a table, the same everywhere.
DO $$
DECLARE
  tenant_table text;
BEGIN
  FOREACH tenant_table IN ARRAY ARRAY['encryption_keys', 'backends', 'holds', 'keys', 'hold_keys', 'key_versions',
    'backups', 'cycles', 'shards', 'candidates', 'failures', 'cycle_issues', 'outbox', 'audit_log'] LOOP
    EXECUTE format('ALTER TABLE keyferry.%I ENABLE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('ALTER TABLE keyferry.%I FORCE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('CREATE POLICY tenant ON keyferry.%I TO keyferry_app
      USING (tenant_id = (SELECT keyferry.current_tenant())) WITH CHECK (tenant_id = (SELECT keyferry.current_tenant()))',
      tenant_table);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON keyferry.%I TO keyferry_app', tenant_table);
  END LOOP;
END
$$;
REVOKE UPDATE, DELETE ON keyferry.audit_log FROM keyferry_app;

ALTER TABLE keyferry.tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE keyferry.tenants FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON keyferry.tenants TO keyferry_app USING (id = (SELECT keyferry.current_tenant()));
GRANT SELECT ON keyferry.tenants TO keyferry_app;
GRANT SELECT, INSERT ON keyferry.master_keys TO keyferry_app;
-- Every process looks whether its schema is there before it works.
GRANT SELECT ON keyferry.migrations TO keyferry_app;

-- Across tenants: ids only.
CREATE POLICY dispatch ON keyferry.tenants FOR SELECT TO keyferry_dispatcher USING (true);
CREATE POLICY dispatch ON keyferry.backends FOR SELECT TO keyferry_dispatcher USING (true);
CREATE POLICY dispatch ON keyferry.cycles FOR SELECT TO keyferry_dispatcher USING (true);
CREATE POLICY dispatch ON keyferry.outbox FOR SELECT TO keyferry_dispatcher USING (true);
GRANT SELECT (id) ON keyferry.tenants TO keyferry_dispatcher;
GRANT SELECT (id, tenant_id, state, mode, next_sync_at) ON keyferry.backends TO keyferry_dispatcher;
GRANT SELECT (id, tenant_id, backend_id, state, scope) ON keyferry.cycles TO keyferry_dispatcher;
GRANT SELECT (tenant_id, backend_id, delivered_at) ON keyferry.outbox TO keyferry_dispatcher;

-- Tenants that have a backend due and no full cycle open for it.
CREATE FUNCTION keyferry.tenants_due(at timestamptz) RETURNS SETOF uuid
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT DISTINCT b.tenant_id FROM keyferry.backends b
  WHERE b.state = 'active' AND b.mode = 'sync' AND b.next_sync_at <= at
    AND NOT EXISTS (SELECT FROM keyferry.cycles c
                    WHERE c.backend_id = b.id AND c.state = 'open' AND c.scope = 'full')
$$;

CREATE FUNCTION keyferry.tenants_with_open_cycles() RETURNS SETOF uuid
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT DISTINCT c.tenant_id FROM keyferry.cycles c WHERE c.state = 'open'
$$;

CREATE FUNCTION keyferry.all_tenants() RETURNS SETOF uuid
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT t.id FROM keyferry.tenants t
$$;

CREATE FUNCTION keyferry.backends_with_undelivered_events() RETURNS TABLE (tenant_id uuid, backend_id uuid)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT DISTINCT o.tenant_id, o.backend_id FROM keyferry.outbox o WHERE o.delivered_at IS NULL
$$;

GRANT CREATE ON SCHEMA keyferry TO keyferry_dispatcher;
ALTER FUNCTION keyferry.tenants_due(timestamptz) OWNER TO keyferry_dispatcher;
ALTER FUNCTION keyferry.tenants_with_open_cycles() OWNER TO keyferry_dispatcher;
ALTER FUNCTION keyferry.all_tenants() OWNER TO keyferry_dispatcher;
ALTER FUNCTION keyferry.backends_with_undelivered_events() OWNER TO keyferry_dispatcher;
REVOKE CREATE ON SCHEMA keyferry FROM keyferry_dispatcher;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA keyferry FROM PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA keyferry TO keyferry_app;
GRANT EXECUTE ON FUNCTION keyferry.current_tenant() TO keyferry_dispatcher;
