-- Reading and writing through Keyferry: modes, writes, conflicts, what is cached and for how long.

-- Proxied backends have cycles too: they prove the container, and drop what was stored before.
DROP INDEX keyferry.backends_due;
CREATE INDEX backends_due ON keyferry.backends (next_sync_at) WHERE state = 'active';

ALTER TABLE keyferry.backends
  -- A process that serves keys does not start while this vault can't be reached.
  ADD COLUMN required          boolean NOT NULL DEFAULT false,
  -- Of proxied reads: how long an answer may be given again, and for how long where the vault is away.
  ADD COLUMN cache_ttl_seconds integer NOT NULL DEFAULT 0 CHECK (cache_ttl_seconds >= 0),
  ADD COLUMN max_stale_seconds integer NOT NULL DEFAULT 3600 CHECK (max_stale_seconds >= 0),
  ADD COLUMN cache_rules       jsonb   NOT NULL DEFAULT '[]',
  -- Raised by each write through Keyferry: what a cycle had read before is not believed of the keys it was of.
  ADD COLUMN write_seq         bigint  NOT NULL DEFAULT 0,
  -- Whether a full cycle has completed since what is synced, and under which names, was changed.
  ADD COLUMN scope_current     boolean NOT NULL DEFAULT true,
  ADD CONSTRAINT backends_write_through_check CHECK (writes <> 'write_through' OR access_mode = 'read_and_write');

ALTER TABLE keyferry.keys
  -- Of its backend, at the last write through Keyferry.
  ADD COLUMN write_seq bigint NOT NULL DEFAULT 0,
  -- What an owned secret was stored for, as backend:<id>; it goes with it. Null where it is a key of its own.
  ADD COLUMN owned_for text;
CREATE INDEX keys_owned_for ON keyferry.keys (tenant_id, owned_for) WHERE owned_for IS NOT NULL;

-- Keys whose two sides both changed, which a person has to settle. The key's own row is as it was.
CREATE TABLE keyferry.conflicts (
  key_id            uuid PRIMARY KEY,
  tenant_id         uuid NOT NULL,
  backend_id        uuid NOT NULL,
  kind              text NOT NULL CHECK (kind IN ('changed', 'removed')),
  -- The vault's side as it was last seen. The digest is empty where the secret is gone.
  remote_digest     bytea NOT NULL,
  remote_version    text,
  remote_created_at timestamptz,
  remote_metadata   jsonb NOT NULL DEFAULT '{}',
  detected_at       timestamptz NOT NULL,
  seen_at           timestamptz NOT NULL,
  -- What a person said of exactly that; the next cycle does it.
  resolution        text CHECK (resolution IN ('local', 'remote')),
  resolved_by       text,
  resolved_at       timestamptz,
  FOREIGN KEY (tenant_id, key_id) REFERENCES keyferry.keys (tenant_id, id) ON DELETE CASCADE,
  FOREIGN KEY (tenant_id, backend_id) REFERENCES keyferry.backends (tenant_id, id)
);
CREATE INDEX conflicts_of_backend ON keyferry.conflicts (backend_id, detected_at, key_id);

-- A write to a vault that was begun: it may have been made there, whatever became of the process that made it.
CREATE TABLE keyferry.write_intents (
  backend_id       uuid NOT NULL,
  remote_hash      bytea NOT NULL CHECK (length(remote_hash) = 16),
  tenant_id        uuid NOT NULL,
  -- Sent with the write, so that the same write is not made twice.
  id               uuid NOT NULL,
  kind             text NOT NULL CHECK (kind IN ('put', 'remove')),
  remote_path      text NOT NULL,
  local_path       text COLLATE "C" NOT NULL,
  -- Keyed, of the value that is written; empty for a removal.
  value_digest     bytea NOT NULL,
  -- Whether the secret did not exist before: it is owned then.
  creates          boolean NOT NULL,
  owned_for        text,
  -- Nobody else writes this secret until then.
  claimed_until    timestamptz NOT NULL,
  created_at       timestamptz NOT NULL,
  PRIMARY KEY (backend_id, remote_hash),
  FOREIGN KEY (tenant_id, backend_id) REFERENCES keyferry.backends (tenant_id, id)
);

-- Answers to requests with an Idempotency-Key. Never a value.
CREATE TABLE keyferry.idempotent_requests (
  tenant_id      uuid NOT NULL REFERENCES keyferry.tenants,
  actor          text NOT NULL,
  key_hash       bytea NOT NULL CHECK (length(key_hash) = 32),
  -- Keyed, of method, path and body.
  request_digest bytea NOT NULL,
  -- Null while the first such request is still at work.
  status         integer,
  answer         jsonb,
  claimed_until  timestamptz NOT NULL,
  created_at     timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, actor, key_hash)
);
CREATE INDEX idempotent_requests_age ON keyferry.idempotent_requests (created_at);

DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['conflicts', 'write_intents', 'idempotent_requests'] LOOP
    EXECUTE format('ALTER TABLE keyferry.%I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE keyferry.%I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY tenant ON keyferry.%I TO keyferry_app
      USING (tenant_id = (SELECT keyferry.current_tenant())) WITH CHECK (tenant_id = (SELECT keyferry.current_tenant()))', name);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON keyferry.%I TO keyferry_app', name);
  END LOOP;
END $$;

-- Whatever its mode: what a backend has in common with a proxied one is that its container is proven now and then.
CREATE OR REPLACE FUNCTION keyferry.tenants_due(at timestamptz) RETURNS SETOF uuid
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT DISTINCT b.tenant_id FROM keyferry.backends b
  WHERE b.state = 'active' AND b.next_sync_at <= at
    AND NOT EXISTS (SELECT FROM keyferry.cycles c
                    WHERE c.backend_id = b.id AND c.state = 'open' AND c.scope = 'full')
$$;
