-- Tenants that are made, limited, suspended and deleted; who asks for them, and what they may do.

ALTER TABLE keyferry.tenants
  ADD COLUMN state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'suspended', 'deleting', 'deleted')),
  -- Null: as many as there are.
  ADD COLUMN max_backends integer CHECK (max_backends >= 0),
  ADD COLUMN max_keys integer CHECK (max_keys >= 0),
  ADD COLUMN max_open_cycles integer CHECK (max_open_cycles > 0),
  ADD COLUMN state_changed_at timestamptz NOT NULL DEFAULT now(),
  ADD COLUMN deletion_requested_by text;

-- An operator sees tenants, and nothing of what is theirs: a transaction is an operator's only where it says so.
CREATE FUNCTION keyferry.is_operator() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT coalesce(current_setting('keyferry.operator', true), '') = 'on' $$;
CREATE POLICY operator ON keyferry.tenants TO keyferry_app
  USING ((SELECT keyferry.is_operator())) WITH CHECK ((SELECT keyferry.is_operator()));
GRANT INSERT, UPDATE ON keyferry.tenants TO keyferry_app;
GRANT SELECT (state, name) ON keyferry.tenants TO keyferry_dispatcher;

-- Whoever asks, as a tenant knows them. Operators are of the tenant that every installation begins with.
CREATE TABLE keyferry.identities (
  id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  tenant_id   uuid NOT NULL REFERENCES keyferry.tenants,
  name        text NOT NULL,
  description text NOT NULL DEFAULT '',
  operator    boolean NOT NULL DEFAULT false
              CHECK (NOT operator OR tenant_id = '00000000-0000-4000-8000-000000000001'),
  scopes      text[] NOT NULL
              CHECK (scopes <@ ARRAY['federation:read', 'federation:write', 'jobs:replay', 'settings', 'audit:read']),
  state       text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'disabled', 'removed')),
  created_by  text NOT NULL,
  created_at  timestamptz NOT NULL,
  updated_at  timestamptz NOT NULL,
  UNIQUE (tenant_id, id)
);
CREATE UNIQUE INDEX identities_name ON keyferry.identities (tenant_id, name) WHERE state <> 'removed';

-- Bearer tokens, of which only the SHA-256 is kept: they are random and long. `shown` is their beginning, to tell them apart.
CREATE TABLE keyferry.tokens (
  id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  tenant_id    uuid NOT NULL,
  identity_id  uuid NOT NULL,
  name         text NOT NULL,
  digest       bytea NOT NULL UNIQUE CHECK (length(digest) = 32),
  shown        text NOT NULL,
  created_by   text NOT NULL,
  created_at   timestamptz NOT NULL,
  expires_at   timestamptz,
  revoked_at   timestamptz,
  last_used_at timestamptz,
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, identity_id) REFERENCES keyferry.identities (tenant_id, id)
);
CREATE INDEX tokens_identity ON keyferry.tokens (identity_id);

-- Whose signed tokens are taken, and which of a tenant's identities their claims stand for: [{claims, identity_id}], the
-- first that matches. Keys come from jwks_url, from the issuer's discovery, or are given.
CREATE TABLE keyferry.token_issuers (
  id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  tenant_id  uuid NOT NULL REFERENCES keyferry.tenants,
  name       text NOT NULL,
  kind       text NOT NULL CHECK (kind IN ('oidc', 'kubernetes')),
  issuer     text NOT NULL,
  audiences  text[] NOT NULL CHECK (cardinality(audiences) > 0),
  algorithms text[] NOT NULL CHECK (cardinality(algorithms) > 0),
  jwks_url   text,
  jwks       jsonb,
  ca_cert    text,
  mappings   jsonb NOT NULL,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  UNIQUE (tenant_id, id),
  UNIQUE (tenant_id, name)
);
CREATE INDEX token_issuers_issuer ON keyferry.token_issuers (issuer);

-- What may be done with which paths, and by whom: bindings are [{identity_id}] or [{issuer_id, claims}].
CREATE TABLE keyferry.policies (
  id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  tenant_id   uuid NOT NULL REFERENCES keyferry.tenants,
  name        text NOT NULL,
  path_glob   text NOT NULL,
  permissions text[] NOT NULL
              CHECK (cardinality(permissions) > 0
                AND permissions <@ ARRAY['read', 'write', 'delete', 'list', 'rotate', 'revoke', 'admin']),
  ip_ranges   text[] NOT NULL DEFAULT '{}', -- none: from anywhere
  expires_at  timestamptz,
  bindings    jsonb NOT NULL,
  created_by  text NOT NULL,
  created_at  timestamptz NOT NULL,
  updated_at  timestamptz NOT NULL,
  UNIQUE (tenant_id, id),
  UNIQUE (tenant_id, name)
);

-- Raised whenever who may do what has changed, in the transaction that changes it: processes keep it in memory.
CREATE TABLE keyferry.access_revisions (
  tenant_id uuid PRIMARY KEY REFERENCES keyferry.tenants,
  revision  bigint NOT NULL DEFAULT 0
);
-- Those that there are are seen by their owner, too.
ALTER TABLE keyferry.tenants NO FORCE ROW LEVEL SECURITY;
INSERT INTO keyferry.access_revisions (tenant_id) SELECT id FROM keyferry.tenants;
ALTER TABLE keyferry.tenants FORCE ROW LEVEL SECURITY;
GRANT SELECT (tenant_id, revision) ON keyferry.access_revisions TO keyferry_dispatcher;

DO $$
DECLARE
  tenant_table text;
BEGIN
  FOREACH tenant_table IN ARRAY ARRAY['identities', 'tokens', 'token_issuers', 'policies', 'access_revisions'] LOOP
    EXECUTE format('ALTER TABLE keyferry.%I ENABLE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('ALTER TABLE keyferry.%I FORCE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('CREATE POLICY tenant ON keyferry.%I TO keyferry_app
      USING (tenant_id = (SELECT keyferry.current_tenant())) WITH CHECK (tenant_id = (SELECT keyferry.current_tenant()))',
      tenant_table);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON keyferry.%I TO keyferry_app', tenant_table);
  END LOOP;
END
$$;
-- What was revoked or removed stays known: the audit log names it.
REVOKE DELETE ON keyferry.identities, keyferry.tokens FROM keyferry_app;

-- Across tenants: who is meant by what a request brings. Ids only, and revisions, which tell nothing.
CREATE POLICY dispatch ON keyferry.tokens FOR SELECT TO keyferry_dispatcher USING (true);
CREATE POLICY dispatch ON keyferry.token_issuers FOR SELECT TO keyferry_dispatcher USING (true);
CREATE POLICY dispatch ON keyferry.access_revisions FOR SELECT TO keyferry_dispatcher USING (true);
GRANT SELECT (id, tenant_id, digest) ON keyferry.tokens TO keyferry_dispatcher;
GRANT SELECT (id, tenant_id, issuer, audiences) ON keyferry.token_issuers TO keyferry_dispatcher;

CREATE FUNCTION keyferry.token_owner(given bytea) RETURNS TABLE (tenant_id uuid, token_id uuid)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT t.tenant_id, t.id FROM keyferry.tokens t WHERE t.digest = given
$$;

-- Issuers of this name that take one of a token's audiences; of one tenant alone where the request names it. At most as many
-- as are tried.
CREATE FUNCTION keyferry.issuers_named(given text, meant text[], tenant text)
  RETURNS TABLE (tenant_id uuid, issuer_id uuid)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT i.tenant_id, i.id FROM keyferry.token_issuers i
  WHERE i.issuer = given AND i.audiences && meant
    AND (tenant IS NULL
      OR i.tenant_id = (SELECT t.id FROM keyferry.tenants t WHERE tenant IN (t.id::text, t.name) ORDER BY t.id LIMIT 1))
  ORDER BY i.tenant_id, i.id LIMIT 100
$$;

CREATE FUNCTION keyferry.access_revisions_of(tenants uuid[]) RETURNS TABLE (tenant_id uuid, revision bigint)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT r.tenant_id, r.revision FROM keyferry.access_revisions r WHERE r.tenant_id = ANY (tenants)
$$;

-- A tenant that is suspended, or on its way out, has no work.
CREATE OR REPLACE FUNCTION keyferry.tenants_due(at timestamptz) RETURNS SETOF uuid
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT DISTINCT b.tenant_id FROM keyferry.backends b
  WHERE b.state = 'active' AND b.next_sync_at <= at
    AND EXISTS (SELECT FROM keyferry.tenants t WHERE t.id = b.tenant_id AND t.state = 'active')
    AND NOT EXISTS (SELECT FROM keyferry.cycles c
                    WHERE c.backend_id = b.id AND c.state = 'open' AND c.scope = 'full')
$$;

CREATE OR REPLACE FUNCTION keyferry.all_tenants() RETURNS SETOF uuid
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT t.id FROM keyferry.tenants t WHERE t.state = 'active'
$$;

GRANT CREATE ON SCHEMA keyferry TO keyferry_dispatcher;
ALTER FUNCTION keyferry.token_owner(bytea) OWNER TO keyferry_dispatcher;
ALTER FUNCTION keyferry.issuers_named(text, text[], text) OWNER TO keyferry_dispatcher;
ALTER FUNCTION keyferry.access_revisions_of(uuid[]) OWNER TO keyferry_dispatcher;
REVOKE CREATE ON SCHEMA keyferry FROM keyferry_dispatcher;
REVOKE ALL ON FUNCTION keyferry.is_operator(), keyferry.token_owner(bytea), keyferry.issuers_named(text, text[], text),
  keyferry.access_revisions_of(uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION keyferry.is_operator(), keyferry.token_owner(bytea), keyferry.issuers_named(text, text[], text),
  keyferry.access_revisions_of(uuid[]) TO keyferry_app;
