-- What people are told, and how: channels, rules, and one notice for each message.

CREATE TABLE keyferry.channels (
  id                 uuid PRIMARY KEY,
  tenant_id          uuid NOT NULL REFERENCES keyferry.tenants,
  name               text NOT NULL,
  kind               text NOT NULL CHECK (kind IN ('webhook', 'slack', 'email')),
  -- What may be shown. Addresses with paths are in the secret: a path may be a token.
  config             jsonb NOT NULL,
  secret             bytea NOT NULL,
  secret_key_id      uuid NOT NULL,
  state              text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'paused')),
  -- Failures in a row, and until when nothing is sent because of them.
  failures           integer NOT NULL DEFAULT 0,
  retry_at           timestamptz,
  last_delivered_at  timestamptz,
  last_failed_at     timestamptz,
  last_error_code    text,
  last_error_message text,
  created_at         timestamptz NOT NULL,
  updated_at         timestamptz NOT NULL,
  UNIQUE (tenant_id, name),
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, secret_key_id) REFERENCES keyferry.encryption_keys (tenant_id, id)
);

CREATE TABLE keyferry.notification_rules (
  id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  tenant_id     uuid NOT NULL REFERENCES keyferry.tenants,
  name          text NOT NULL,
  channel_id    uuid NOT NULL,
  -- Empty means: all.
  event_types   text[] NOT NULL DEFAULT '{}',
  backend_ids   uuid[] NOT NULL DEFAULT '{}',
  paths         text[] NOT NULL DEFAULT '{}',
  min_severity  text NOT NULL DEFAULT 'info' CHECK (min_severity IN ('info', 'warning', 'critical')),
  state         text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'paused')),
  -- It tells of events after this position: of what comes once it is there, and active.
  from_position bigint NOT NULL,
  created_at    timestamptz NOT NULL,
  updated_at    timestamptz NOT NULL,
  UNIQUE (tenant_id, name),
  FOREIGN KEY (tenant_id, channel_id) REFERENCES keyferry.channels (tenant_id, id)
);

-- Up to which position of the outbox events have been matched with rules.
CREATE TABLE keyferry.notification_cursors (
  tenant_id uuid PRIMARY KEY REFERENCES keyferry.tenants,
  position  bigint NOT NULL
);

-- One message each. It outlives its rule and channel, whose names of then it keeps.
CREATE TABLE keyferry.notices (
  id                 uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  tenant_id          uuid NOT NULL REFERENCES keyferry.tenants,
  rule_id            uuid NOT NULL,
  rule_name          text NOT NULL,
  channel_id         uuid NOT NULL,
  channel_name       text NOT NULL,
  group_key          text NOT NULL,
  state              text NOT NULL DEFAULT 'collecting'
                     CHECK (state IN ('collecting', 'pending', 'delivered', 'failed', 'discarded')),
  -- Types, counts and paths, never a value.
  message            jsonb NOT NULL,
  -- While it is collecting: when it is complete at the latest.
  ready_at           timestamptz NOT NULL,
  attempts           integer NOT NULL DEFAULT 0,
  -- Attempts that the receiver, or the egress policy, answered with no.
  refusals           integer NOT NULL DEFAULT 0,
  next_attempt_at    timestamptz,
  give_up_at         timestamptz,
  claimed_until      timestamptz,
  last_error_code    text,
  last_error_message text,
  created_at         timestamptz NOT NULL,
  delivered_at       timestamptz,
  -- When it was delivered, given up or discarded.
  ended_at           timestamptz
);
CREATE UNIQUE INDEX notices_collecting ON keyferry.notices (rule_id, group_key) WHERE state = 'collecting';
CREATE INDEX notices_ready ON keyferry.notices (tenant_id, ready_at) WHERE state = 'collecting';
CREATE INDEX notices_due ON keyferry.notices (channel_id, next_attempt_at, id) WHERE state = 'pending';
CREATE INDEX notices_log ON keyferry.notices (tenant_id, created_at DESC, id DESC);
CREATE INDEX notices_ended ON keyferry.notices (tenant_id, ended_at) WHERE ended_at IS NOT NULL;

DO $$
DECLARE
  tenant_table text;
BEGIN
  FOREACH tenant_table IN ARRAY ARRAY['channels', 'notification_rules', 'notification_cursors', 'notices'] LOOP
    EXECUTE format('ALTER TABLE keyferry.%I ENABLE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('ALTER TABLE keyferry.%I FORCE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('CREATE POLICY tenant ON keyferry.%I TO keyferry_app
      USING (tenant_id = (SELECT keyferry.current_tenant())) WITH CHECK (tenant_id = (SELECT keyferry.current_tenant()))',
      tenant_table);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON keyferry.%I TO keyferry_app', tenant_table);
  END LOOP;
END
$$;

-- Across tenants: ids only.
CREATE POLICY dispatch ON keyferry.channels FOR SELECT TO keyferry_dispatcher USING (true);
CREATE POLICY dispatch ON keyferry.notification_cursors FOR SELECT TO keyferry_dispatcher USING (true);
CREATE POLICY dispatch ON keyferry.notices FOR SELECT TO keyferry_dispatcher USING (true);
GRANT SELECT (position) ON keyferry.outbox TO keyferry_dispatcher;
GRANT SELECT (id, tenant_id, state, retry_at) ON keyferry.channels TO keyferry_dispatcher;
GRANT SELECT (tenant_id, position) ON keyferry.notification_cursors TO keyferry_dispatcher;
GRANT SELECT (tenant_id, channel_id, state, ready_at, next_attempt_at, claimed_until) ON keyferry.notices
  TO keyferry_dispatcher;

-- Tenants with events that were not matched with rules yet, or with notices that are complete by now.
CREATE FUNCTION keyferry.tenants_with_notices_to_collect(at timestamptz) RETURNS SETOF uuid
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT t.id FROM keyferry.tenants t LEFT JOIN keyferry.notification_cursors c ON c.tenant_id = t.id
  WHERE EXISTS (SELECT FROM keyferry.outbox o WHERE o.tenant_id = t.id AND o.position > coalesce(c.position, 0))
    OR EXISTS (SELECT FROM keyferry.notices n
               WHERE n.tenant_id = t.id AND n.state = 'collecting' AND n.ready_at <= at)
$$;

-- Tenants with notices to send, on channels that are not waiting after a failure.
CREATE FUNCTION keyferry.tenants_with_due_notices(at timestamptz) RETURNS SETOF uuid
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT DISTINCT c.tenant_id FROM keyferry.channels c
  WHERE c.state = 'active' AND (c.retry_at IS NULL OR c.retry_at <= at)
    AND EXISTS (SELECT FROM keyferry.notices n WHERE n.channel_id = c.id AND n.state = 'pending'
                AND n.next_attempt_at <= at AND (n.claimed_until IS NULL OR n.claimed_until <= at))
$$;

GRANT CREATE ON SCHEMA keyferry TO keyferry_dispatcher;
ALTER FUNCTION keyferry.tenants_with_notices_to_collect(timestamptz) OWNER TO keyferry_dispatcher;
ALTER FUNCTION keyferry.tenants_with_due_notices(timestamptz) OWNER TO keyferry_dispatcher;
REVOKE CREATE ON SCHEMA keyferry FROM keyferry_dispatcher;
REVOKE ALL ON FUNCTION keyferry.tenants_with_notices_to_collect(timestamptz),
  keyferry.tenants_with_due_notices(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION keyferry.tenants_with_notices_to_collect(timestamptz),
  keyferry.tenants_with_due_notices(timestamptz) TO keyferry_app;
