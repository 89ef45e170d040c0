import { type Backend, defaultTenantId } from '@keyferry/store';
import pg from 'pg';
import type { BenchSite } from '../bench-site.ts';

/**
 * Keys of one tenant, made by statements over their numbers. What a key is follows from its number modulo 10: 0 is on its
 * way to the archive, 1 archived, 2 expires, 3 has to be rotated, and the others have no times. All times are to come.
 */
export interface ManyKeys extends AsyncDisposable {
  backends: readonly Backend['id'][];
  /** Runs SQL as the owner of the database, without looking at foreign keys. $1 is the array of backends. */
  asOwner(statement: string): Promise<void>;
  /** Runs one statement in a transaction of the tenant, as the application does. Returns how many rows it changed. */
  asApplication(statement: string): Promise<number>;
  /** Makes keys with these numbers, given as a set of rows, that are not there. */
  make(numbers: string): Promise<void>;
}

const rotatedPaths = 'bifrost/rotated/**';
export const graceSeconds = 24 * 3600;

/** Vaults are never asked: nothing but the passing of time is measured. */
const noVault = {
  kind: 'hashicorp',
  config: { address: 'http://127.0.0.1:9' },
  auth: { method: 'token', token: 'none' },
};

/** The id of the key of a number. */
export const idOf = (number: string) => `md5('key ' || ${number})::uuid`;

export async function makeManyKeys(site: BenchSite, count: number, backendCount: number): Promise<ManyKeys> {
  const backends: string[] = [];
  for (let number = 0; number < backendCount; number++) backends.push(await site.addBackend(noVault));
  const keys = await site.keyring.ofTenant(defaultTenantId);
  const owner = new pg.Client({ connectionString: site.ownerUrl });
  await owner.connect();
  await owner.query(`SET session_replication_role = replica; SET work_mem = '256MB'; SET search_path = keyferry`);
  const application = new pg.Client({
    connectionString: site.ownerUrl,
    options: '-c role=keyferry_app -c search_path=keyferry',
  });
  await application.connect();
  const asApplication = async (statement: string) => {
    await application.query(`BEGIN; SET LOCAL keyferry.tenant = '${defaultTenantId}'`);
    const { rowCount } = await application.query(statement, [backends]);
    await application.query('COMMIT');
    return rowCount ?? 0;
  };
  const asOwner = async (statement: string) =>
    void (await owner.query(`WITH given AS (SELECT $1::uuid[] AS backends) ${statement}`, [backends]));
  await asOwner(`UPDATE backends SET times_current = true, last_full_opened_at = now(),
    lifecycle_rules = '[{"paths": ["${rotatedPaths}"], "rotate_every_seconds": 7776000}]' FROM given WHERE id = ANY(given.backends)`);

  const made = (numbers: string) => `
    n AS (SELECT n, ${idOf('n')} AS id, (ARRAY['waiting', 'archived', 'expiring', 'rotated', 'plain'])[least(n % 10, 4) + 1] AS class,
        given.backends[1 + n / 10 % cardinality(given.backends)] AS backend_id FROM ${numbers} AS n, given),
    k AS (SELECT *, 'bifrost/' || class || '/key-' || n AS path, sha256(('value ' || n)::bytea) AS digest FROM n)`;
  const make = async (numbers: string) => {
    await asOwner(`, ${made(numbers)}, versions AS (
      INSERT INTO key_versions (key_id, version, tenant_id, ciphertext, encryption_key_id, content_type, metadata, source, created_at)
      SELECT id, 1, '${defaultTenantId}', digest || digest, '${keys.encryptionKeyId}', 'text/plain', '{}', 'vault', now() FROM k ORDER BY id)
      INSERT INTO keys (id, tenant_id, backend_id, remote_path, remote_hash, local_path, type, state, version, content_type,
        metadata, remote_version, base_digest, local_digest, remote_digest, digest_key_id, value_at, state_changed_at,
        last_seen_at, created_at, updated_at, deprecated_at, deprecated_for, archive_at, archive_reminder_at, purge_at,
        expires_at, expiry_reminder_at, rotation_due_at)
      SELECT id, '${defaultTenantId}', backend_id, path, substring(sha256(path::bytea) FOR 16), path, 'api_key',
        CASE class WHEN 'waiting' THEN 'deprecated' WHEN 'archived' THEN 'archived' ELSE 'active' END, 1, 'text/plain', '{}',
        '1', digest, digest, digest, '${keys.digestKeyId}', now(), now(), now() - interval '2 days', now(), now(),
        CASE class WHEN 'waiting' THEN now() END, CASE class WHEN 'waiting' THEN 'absent' END,
        CASE class WHEN 'waiting' THEN now() + interval '24 hours' END,
        CASE class WHEN 'waiting' THEN now() + interval '23 hours' END,
        CASE class WHEN 'archived' THEN now() + interval '90 days' END,
        CASE class WHEN 'expiring' THEN now() + interval '60 days' END,
        CASE class WHEN 'expiring' THEN now() + interval '30 days' END,
        CASE class WHEN 'rotated' THEN now() + interval '90 days' END FROM k ORDER BY id`);
  };
  await make(`generate_series(0, ${count - 1})`);
  await owner.query('VACUUM (ANALYZE) keys');
  await owner.query('VACUUM (ANALYZE) key_versions');
  await owner.query('CHECKPOINT');
  const close = async () => {
    await owner.end();
    await application.end();
  };
  return { backends, asOwner, asApplication, make, [Symbol.asyncDispose]: close };
}
