-- Who did and who read what: rows in batches as they were committed, batches in a chain of hashes, tenant by tenant.

-- A batch is what one statement wrote. No foreign keys here: a trigger for each row would cost more than the row.
CREATE TABLE keyferry.audit_batches (
  tenant_id uuid NOT NULL,
  id        bigint GENERATED ALWAYS AS IDENTITY,
  rows      integer NOT NULL CHECK (rows > 0),
  -- Of the first and of the last of its rows.
  at        timestamptz NOT NULL,
  last_at   timestamptz NOT NULL CHECK (last_at >= at),
  -- Its place in the tenant's chain, what its rows come to, and that together with the batch before. Null: not sealed yet.
  number    bigint CHECK (number > 0),
  digest    bytea,
  hash      bytea,
  sealed_at timestamptz,
  PRIMARY KEY (tenant_id, id),
  CHECK (num_nulls(number, digest, hash, sealed_at) IN (0, 4))
);
CREATE UNIQUE INDEX audit_batches_chain ON keyferry.audit_batches (tenant_id, number) WHERE number IS NOT NULL;
CREATE INDEX audit_batches_unsealed ON keyferry.audit_batches (tenant_id, id) WHERE number IS NULL;
CREATE INDEX audit_batches_last_at ON keyferry.audit_batches (tenant_id, last_at);

CREATE TABLE keyferry.audit_rows (
  tenant_id  uuid NOT NULL,
  batch      bigint NOT NULL,
  at         timestamptz NOT NULL,
  place      integer NOT NULL,
  outcome    text NOT NULL CHECK (outcome IN ('done', 'read', 'refused', 'failed')),
  actor      text NOT NULL,
  action     text NOT NULL,
  target     text NOT NULL,
  -- Of the request that it came of; null where nobody asked.
  request_id uuid,
  address    text,
  details    jsonb NOT NULL DEFAULT '{}',
  -- Batches have one sequence for all tenants: rows go to the end of the index, whosever they are.
  PRIMARY KEY (batch, place)
);

-- What was there before, which its owner sees too: batches of a thousand rows, in the order in which they were written.
ALTER TABLE keyferry.audit_log NO FORCE ROW LEVEL SECURITY;
CREATE TEMPORARY TABLE audit_before ON COMMIT DROP AS
  SELECT id, tenant_id, (row_number() OVER of_tenant - 1) / 1000 AS block,
    ((row_number() OVER of_tenant - 1) % 1000 + 1)::integer AS place
  FROM keyferry.audit_log WINDOW of_tenant AS (PARTITION BY tenant_id ORDER BY id);
CREATE TEMPORARY TABLE audit_blocks ON COMMIT DROP AS
  SELECT b.tenant_id, b.block, count(*)::integer AS rows, min(l.at) AS at, max(l.at) AS last_at,
    row_number() OVER (ORDER BY b.tenant_id, b.block) AS batch
  FROM audit_before b JOIN keyferry.audit_log l USING (id) GROUP BY b.tenant_id, b.block;
INSERT INTO keyferry.audit_batches (tenant_id, id, rows, at, last_at) OVERRIDING SYSTEM VALUE
  SELECT tenant_id, batch, rows, at, last_at FROM audit_blocks;
SELECT setval(pg_get_serial_sequence('keyferry.audit_batches', 'id'), (SELECT max(batch) FROM audit_blocks))
  WHERE EXISTS (SELECT FROM audit_blocks);
INSERT INTO keyferry.audit_rows (tenant_id, batch, place, at, outcome, actor, action, target, details)
  SELECT l.tenant_id, k.batch, b.place, l.at, 'done', l.actor, l.action, l.target, l.details
  FROM keyferry.audit_log l JOIN audit_before b USING (id) JOIN audit_blocks k ON (k.tenant_id, k.block) = (b.tenant_id, b.block);
DROP TABLE keyferry.audit_log;
ALTER TABLE keyferry.audit_rows RENAME TO audit_log;
ALTER INDEX keyferry.audit_rows_pkey RENAME TO audit_log_pkey;
ALTER TABLE keyferry.audit_log RENAME CONSTRAINT audit_rows_outcome_check TO audit_log_outcome_check;
-- A row costs next to nothing here, where a tree of its targets would cost as much as the row: whatever is asked for is in
-- few places of a table that only grows at its end.
CREATE INDEX audit_log_blocks ON keyferry.audit_log USING brin
  (at, target text_bloom_ops, actor text_bloom_ops, request_id uuid_bloom_ops) WITH (pages_per_range = 64, autosummarize = on);
CREATE INDEX audit_log_purged_path ON keyferry.audit_log (tenant_id, target) WHERE action = 'key.purged';
CREATE INDEX audit_log_pruned ON keyferry.audit_log (tenant_id) WHERE action = 'audit.pruned';
CREATE INDEX audit_log_purged_key ON keyferry.audit_log (tenant_id, (details ->> 'key_id')) WHERE action = 'key.purged';

-- A tenant's chain: where it begins (after what was pruned), where it ends, what of it was told outside, how long it is kept.
CREATE TABLE keyferry.audit_chains (
  tenant_id         uuid PRIMARY KEY REFERENCES keyferry.tenants,
  pruned_number     bigint NOT NULL DEFAULT 0,
  pruned_hash       bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex'),
  head_number       bigint NOT NULL DEFAULT 0,
  head_hash         bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex'),
  anchored_number   bigint NOT NULL DEFAULT 0,
  anchored_at       timestamptz,
  retention_seconds bigint NOT NULL DEFAULT 365 * 86400 CHECK (retention_seconds >= 86400)
);

-- Numbers of events that are a tenant's, and of none of its backends.
CREATE TABLE keyferry.tenant_events (
  tenant_id uuid PRIMARY KEY REFERENCES keyferry.tenants,
  event_seq bigint NOT NULL
);
ALTER TABLE keyferry.outbox ALTER COLUMN backend_id DROP NOT NULL;
CREATE UNIQUE INDEX outbox_of_tenant ON keyferry.outbox (tenant_id, seq) WHERE backend_id IS NULL;

DO $$
DECLARE
  tenant_table text;
BEGIN
  FOREACH tenant_table IN ARRAY ARRAY['audit_log', 'audit_batches', 'audit_chains', 'tenant_events'] LOOP
    EXECUTE format('ALTER TABLE keyferry.%I ENABLE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('ALTER TABLE keyferry.%I FORCE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('CREATE POLICY tenant ON keyferry.%I TO keyferry_app
      USING (tenant_id = (SELECT keyferry.current_tenant())) WITH CHECK (tenant_id = (SELECT keyferry.current_tenant()))',
      tenant_table);
    EXECUTE format('GRANT SELECT, INSERT ON keyferry.%I TO keyferry_app', tenant_table);
  END LOOP;
END
$$;
GRANT UPDATE, DELETE ON keyferry.tenant_events TO keyferry_app;
GRANT UPDATE (head_number, head_hash, anchored_number, anchored_at, retention_seconds) ON keyferry.audit_chains
  TO keyferry_app;
-- Batches are sealed once.
GRANT UPDATE (number, digest, hash, sealed_at) ON keyferry.audit_batches TO keyferry_app;
CREATE POLICY sealed_once ON keyferry.audit_batches AS RESTRICTIVE FOR UPDATE TO keyferry_app
  USING (number IS NULL) WITH CHECK (number IS NOT NULL);
CREATE POLICY written_unsealed ON keyferry.audit_batches AS RESTRICTIVE FOR INSERT TO keyferry_app
  WITH CHECK (number IS NULL);

-- One group of rows, in one round trip: the transaction is this statement's, and the tenant's as any other. Each row names
-- what it has in common with others by its place in the arrays from `ats` on.
CREATE FUNCTION keyferry.write_audit(tenant uuid, sharing integer[], targets text[], request_ids uuid[], ats timestamptz[],
    actors text[], actions text[], outcomes text[], addresses text[], details jsonb[]) RETURNS void
  LANGUAGE plpgsql AS $$
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
$$;

-- What is older than the tenant keeps: whole batches from the beginning of the chain.
CREATE FUNCTION keyferry.prune_audit(most integer) RETURNS TABLE (batches bigint, rows bigint, number bigint, hash bytea)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
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
$$;

-- Tenants with batches that are not sealed yet.
CREATE FUNCTION keyferry.tenants_with_unsealed_audit() RETURNS SETOF uuid
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT DISTINCT b.tenant_id FROM keyferry.audit_batches b WHERE b.number IS NULL
$$;

-- Tenants whose chain has gone on since it was anchored, which was before then.
CREATE FUNCTION keyferry.tenants_with_audit_to_anchor(before timestamptz) RETURNS SETOF uuid
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT c.tenant_id FROM keyferry.audit_chains c
  WHERE c.head_number > c.anchored_number AND (c.anchored_at IS NULL OR c.anchored_at <= before)
$$;

-- Tenants whose chain begins with what is older than they keep, whatever else is done for them.
CREATE FUNCTION keyferry.tenants_with_audit_to_prune() RETURNS SETOF uuid
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT c.tenant_id FROM keyferry.audit_chains c
  JOIN keyferry.audit_batches b ON b.tenant_id = c.tenant_id AND b.number = c.pruned_number + 1
  WHERE b.last_at < now() - make_interval(secs => c.retention_seconds)
$$;

-- The dispatcher prunes, for whoever calls that function, in the tenant of the transaction alone.
CREATE POLICY prune ON keyferry.audit_log TO keyferry_dispatcher
  USING (tenant_id = (SELECT keyferry.current_tenant()));
CREATE POLICY prune ON keyferry.audit_batches FOR DELETE TO keyferry_dispatcher
  USING (tenant_id = (SELECT keyferry.current_tenant()));
CREATE POLICY dispatch ON keyferry.audit_batches FOR SELECT TO keyferry_dispatcher USING (true);
CREATE POLICY prune ON keyferry.audit_chains TO keyferry_dispatcher
  USING (tenant_id = (SELECT keyferry.current_tenant()));
GRANT SELECT (tenant_id, batch), DELETE ON keyferry.audit_log TO keyferry_dispatcher;
GRANT SELECT (tenant_id, id, number, hash, last_at), DELETE ON keyferry.audit_batches TO keyferry_dispatcher;
CREATE POLICY dispatch ON keyferry.audit_chains FOR SELECT TO keyferry_dispatcher USING (true);
GRANT SELECT (tenant_id, pruned_number, retention_seconds, head_number, anchored_number, anchored_at), UPDATE (pruned_number, pruned_hash)
  ON keyferry.audit_chains TO keyferry_dispatcher;

GRANT CREATE ON SCHEMA keyferry TO keyferry_dispatcher;
ALTER FUNCTION keyferry.prune_audit(integer) OWNER TO keyferry_dispatcher;
ALTER FUNCTION keyferry.tenants_with_unsealed_audit() OWNER TO keyferry_dispatcher;
ALTER FUNCTION keyferry.tenants_with_audit_to_anchor(timestamptz) OWNER TO keyferry_dispatcher;
ALTER FUNCTION keyferry.tenants_with_audit_to_prune() OWNER TO keyferry_dispatcher;
REVOKE CREATE ON SCHEMA keyferry FROM keyferry_dispatcher;
REVOKE ALL ON FUNCTION keyferry.prune_audit(integer), keyferry.tenants_with_unsealed_audit(),
  keyferry.tenants_with_audit_to_anchor(timestamptz), keyferry.tenants_with_audit_to_prune(), keyferry.write_audit(uuid,
  integer[], text[], uuid[], timestamptz[], text[], text[], text[], text[], jsonb[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION keyferry.prune_audit(integer), keyferry.tenants_with_unsealed_audit(),
  keyferry.tenants_with_audit_to_anchor(timestamptz), keyferry.tenants_with_audit_to_prune(), keyferry.write_audit(uuid,
  integer[], text[], uuid[], timestamptz[], text[], text[], text[], text[], jsonb[]) TO keyferry_app;
