import { createHash, randomBytes, randomUUID } from 'node:crypto';
import type { NoticeMessage } from '@keyferry/core';
import {
  appendEvents,
  appendTenantEvents,
  audit,
  createBackend,
  createChannel,
  createRule,
  type Keyring,
  raiseAccessRevision,
  remoteHash,
  type Store,
  selectLocked,
  setAuditRetention,
  type Tx,
  valueBinding,
} from '@keyferry/store';
import { defaultSettings } from './backend-settings.ts';

/** What a tenant has, one of each kind: every name, path and message begins with the mark. */
export type Everything = Awaited<ReturnType<typeof oneOfEverything>>;

/** Gives a tenant one of everything that a tenant can have. A test holds this to the tables that have tenants. */
export async function oneOfEverything(
  { store, keyring }: { store: Store; keyring: Keyring },
  tenantId: string,
  mark: string,
  now: Date,
) {
  const keys = await keyring.ofTenant(tenantId);
  const localPath = `${mark}/key`;
  const remotePath = `${mark}/remote`;
  const hash = remoteHash(remotePath);
  const digest = keys.digest(Buffer.from('a value'));
  const value = (keyId: string) => ({
    ciphertext: keys.seal(Buffer.from(`${mark}-value`), valueBinding(tenantId, keyId, 1)).ciphertext,
    encryption_key_id: keys.encryptionKeyId,
  });

  return await store.inTenant(tenantId, async (tx) => {
    const settings = defaultSettings({
      name: `${mark}-backend`,
      kind: 'hashicorp',
      config: { address: 'http://127.0.0.1:1', mount: mark, allow_http: true },
      auth: { method: 'token', token: `${mark}-token` },
      prefix: mark,
      sync_paths: [`${mark}/*`],
      access_mode: 'read_and_write',
      writes: 'local',
      conflict_policy: 'manual',
    });
    const backend = await createBackend(tx, { tenantId, settings, keys, now });
    const of = { tenant_id: tenantId, backend_id: backend.id };
    const row = {
      ...of,
      remote_path: remotePath,
      remote_hash: hash,
      local_path: localPath,
      type: 'opaque' as const,
      state: 'active' as const,
      version: 1,
      content_type: 'text/plain',
      metadata: '{}',
      base_digest: digest,
      local_digest: digest,
      remote_digest: digest,
      digest_key_id: keys.digestKeyId,
      state_changed_at: now,
      last_seen_at: now,
      created_at: now,
      updated_at: now,
      expires_at: new Date(now.getTime() + 3_600_000),
    };
    const { id: keyId } = await tx
      .insertInto('keys')
      .values({ ...row, id: randomUUID() })
      .returning('id')
      .executeTakeFirstOrThrow();
    const key = await selectLocked(tx).where('keys.id', '=', keyId).executeTakeFirstOrThrow();
    const version = { version: 1, ...value(keyId), content_type: 'text/plain', metadata: '{}', created_at: now };
    await tx
      .insertInto('key_versions')
      .values({ ...version, tenant_id: tenantId, key_id: keyId, source: 'vault' })
      .execute();
    const backup = await tx
      .insertInto('backups')
      .values({
        ...of,
        ...version,
        key_id: keyId,
        local_path: localPath,
        remote_path: remotePath,
        type: 'opaque',
        reason: `${mark}-reason`,
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    const cycle = await openedCycle(tx, of, now);
    const inCycle = { tenant_id: tenantId, cycle_id: cycle.id };
    const refs = JSON.stringify([[remotePath, localPath, null]]);
    const shard = await tx
      .insertInto('shards')
      .values({ ...inCycle, number: 0, refs, released: true, dispatched_at: now })
      .returningAll()
      .executeTakeFirstOrThrow();
    await tx
      .insertInto('candidates')
      .values({ ...inCycle, key_id: keyId })
      .execute();
    const hold = await tx
      .insertInto('holds')
      .values({ ...of, cycle_id: cycle.id, candidates: 1, keys: 1, opened_at: now, updated_at: now })
      .returningAll()
      .executeTakeFirstOrThrow();
    await tx.insertInto('hold_keys').values({ tenant_id: tenantId, hold_id: hold.id, key_id: keyId }).execute();
    const failure = await tx
      .insertInto('failures')
      .values({
        ...of,
        cycle_id: cycle.id,
        stage: 'sync',
        shard: 0,
        state: 'failed',
        class: 'unavailable',
        code: 'vault_unavailable',
        message: `${mark}-message`,
        attempts: 1,
        first_failed_at: now,
        last_failed_at: now,
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    await tx
      .insertInto('cycle_issues')
      .values({ ...inCycle, remote_path: remotePath, outcome: 'failed', code: 'x', message: `${mark}-message` })
      .execute();
    await tx
      .insertInto('findings')
      .values({
        ...of,
        remote_hash: hash,
        remote_path: remotePath,
        rejected: true,
        problems: '[]',
        since: now,
        found_in: cycle.id,
      })
      .execute();
    await tx
      .insertInto('key_changes')
      .values({
        tenant_id: tenantId,
        key_id: keyId,
        at: now,
        change: 'revoked',
        actor: `${mark}-actor`,
        cycle_id: cycle.id,
      })
      .execute();
    await tx
      .insertInto('conflicts')
      .values({
        ...of,
        key_id: keyId,
        kind: 'changed',
        remote_digest: digest,
        remote_metadata: '{}',
        detected_at: now,
        seen_at: now,
      })
      .execute();
    const intent = await tx
      .insertInto('write_intents')
      .values({
        ...of,
        id: randomUUID(),
        kind: 'put',
        remote_hash: hash,
        remote_path: remotePath,
        local_path: localPath,
        value_digest: digest,
        creates: false,
        claimed_until: now,
        created_at: now,
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    const request = await tx
      .insertInto('idempotent_requests')
      .values({
        tenant_id: tenantId,
        actor: `${mark}-actor`,
        key_hash: randomBytes(32),
        request_digest: digest,
        answer: '{}',
        claimed_until: now,
        created_at: now,
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    await appendEvents(tx, backend.id, [{ type: 'keys.created', data: { backend: backend.name } }], now);
    await audit(tx, tenantId, { actor: `${mark}-actor`, action: 'key.purged', target: localPath }, now);
    await setAuditRetention(tx, tenantId, 365 * 86_400);
    await appendTenantEvents(tx, tenantId, [{ type: 'audit.anchored', data: { number: 1, hash: '' } }], now);
    const told = await notifications(tx, { tenantId, backendId: backend.id, keys, now, mark });
    const access = await whoMayDoWhat(tx, { tenantId, now, mark });
    await raiseAccessRevision(tx, tenantId);
    return {
      tenantId,
      mark,
      keys,
      settings,
      backend,
      keyId,
      key,
      digest,
      hash,
      localPath,
      remotePath,
      backup,
      cycle,
      shard,
      hold,
      failure,
      intent,
      request,
      ...told,
      ...access,
    };
  });
}

const openedCycle = async (tx: Tx, of: { tenant_id: string; backend_id: string }, now: Date) =>
  await tx
    .insertInto('cycles')
    .values({
      ...of,
      scope: 'full',
      trigger: 'hand',
      stage: 'sync',
      dispatched_at: now,
      opened_at: now,
      shards_total: 1,
      shards_left: 1,
    })
    .returningAll()
    .executeTakeFirstOrThrow();

interface Given {
  tenantId: string;
  now: Date;
  mark: string;
}

async function notifications(
  tx: Tx,
  {
    tenantId,
    backendId,
    keys,
    now,
    mark,
  }: Given & { backendId: string; keys: Awaited<ReturnType<Keyring['ofTenant']>> },
) {
  const secret = { url: `https://example.com/${mark}` };
  const channelSettings = { name: `${mark}-channel`, config: { address: mark }, secret, state: 'active' as const };
  const channel = await createChannel(tx, { tenantId, kind: 'slack', settings: channelSettings, keys, now });
  const ruleSettings = {
    name: `${mark}-rule`,
    channel_id: channel.id,
    event_types: [],
    backend_ids: [],
    paths: [],
    min_severity: 'info' as const,
    state: 'active' as const,
  };
  const rule = await createRule(tx, tenantId, ruleSettings, now);
  const at = now.toISOString();
  const message = {
    severity: 'info',
    backend_id: backendId,
    backend: mark,
    cycle_id: null,
    first_at: at,
    last_at: at,
    hold_ids: [],
    events: [],
  } satisfies NoticeMessage;
  const notices = await tx
    .insertInto('notices')
    .values(
      (['pending', 'collecting', 'failed'] as const).map((state) => ({
        tenant_id: tenantId,
        rule_id: rule.id,
        rule_name: rule.name,
        channel_id: channel.id,
        channel_name: channel.name,
        group_key: `${mark}-group`,
        state,
        message: JSON.stringify(message),
        ready_at: now,
        next_attempt_at: now,
        give_up_at: now,
        created_at: now,
      })),
    )
    .returningAll()
    .execute();
  await tx.insertInto('notification_cursors').values({ tenant_id: tenantId, position: 0 }).execute();
  const [notice] = notices;
  if (!notice) throw new Error('There is no notice.');
  return { channel, channelSettings, rule, ruleSettings, notice };
}

async function whoMayDoWhat(tx: Tx, { tenantId, now, mark }: Given) {
  const made = { tenant_id: tenantId, created_by: `${mark}-actor`, created_at: now };
  const identity = await tx
    .insertInto('identities')
    .values({ ...made, name: `${mark}-identity`, description: '', operator: false, scopes: [], updated_at: now })
    .returningAll()
    .executeTakeFirstOrThrow();
  const token = await tx
    .insertInto('tokens')
    .values({
      ...made,
      identity_id: identity.id,
      name: `${mark}-token`,
      digest: createHash('sha256').update(mark).digest(),
      shown: 'kf_',
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  const issuer = await tx
    .insertInto('token_issuers')
    .values({
      ...made,
      name: `${mark}-issuer`,
      kind: 'oidc',
      issuer: `https://example.com/${mark}`,
      audiences: ['keyferry'],
      algorithms: ['RS256'],
      jwks: JSON.stringify({ keys: [] }),
      mappings: '[]',
      updated_at: now,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  const policy = await tx
    .insertInto('policies')
    .values({
      ...made,
      name: `${mark}-policy`,
      path_glob: `${mark}/**`,
      permissions: ['read'],
      ip_ranges: [],
      bindings: JSON.stringify([{ identity_id: identity.id }]),
      updated_at: now,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  return { identity, token, issuer, policy };
}
