import { hash } from 'node:crypto';
import { defaultTenantId, type TenantKeys, valueBinding } from '@keyferry/store';
import pg from 'pg';

/** Keys of one tenant whose values open. Their numbers say what they are. */

const batch = 5_000;

export const pathOf = (number: number) => `bifrost/group-${number % 1_000}/key-${number}`;
const idOf = (number: number) =>
  hash('md5', `key ${number}`).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');

const sealedValue = (keys: TenantKeys, number: number) =>
  keys.seal(Buffer.from(`sk-${hash('sha256', `value ${number}`)}`), valueBinding(defaultTenantId, idOf(number), 1));

/** Makes them by statements over arrays, without looking at foreign keys. */
export async function makeSealedKeys(
  ownerUrl: string,
  keys: TenantKeys,
  { count, backendId }: { count: number; backendId: string },
): Promise<void> {
  const owner = new pg.Client({ connectionString: ownerUrl });
  await owner.connect();
  await owner.query(`SET session_replication_role = replica; SET search_path = keyferry`);
  for (let start = 0; start < count; start += batch) {
    const numbers = Array.from({ length: Math.min(batch, count - start) }, (_, index) => start + index);
    const ciphertexts = numbers.map((number) => sealedValue(keys, number).ciphertext);
    await owner.query(
      `INSERT INTO key_versions (key_id, version, tenant_id, ciphertext, encryption_key_id, content_type, metadata, source, created_at)
       SELECT id, 1, $1, ciphertext, $2, 'text/plain', '{}', 'vault', now() FROM unnest($3::uuid[], $4::bytea[]) AS k (id, ciphertext)`,
      [defaultTenantId, keys.encryptionKeyId, numbers.map(idOf), ciphertexts],
    );
    await owner.query(
      `INSERT INTO keys (id, tenant_id, backend_id, remote_path, remote_hash, local_path, type, state, version, content_type,
         metadata, remote_version, base_digest, local_digest, remote_digest, digest_key_id, value_at, state_changed_at,
         last_seen_at, created_at, updated_at)
       SELECT id, $1, $2, path, substring(sha256(path::bytea) FOR 16), path, 'api_key', 'active', 1, 'text/plain', '{}', '1',
         sha256(path::bytea), sha256(path::bytea), sha256(path::bytea), $3, now(), now(), now(), now(), now()
       FROM unnest($4::uuid[], $5::text[]) AS k (id, path)`,
      [defaultTenantId, backendId, keys.digestKeyId, numbers.map(idOf), numbers.map(pathOf)],
    );
  }
  await owner.query('VACUUM (ANALYZE) keys');
  await owner.query('VACUUM (ANALYZE) key_versions');
  await owner.query('CHECKPOINT');
  await owner.end();
}

const updated = 500;

/**
 * What a rewrap is measured against: the same rows get values that were sealed before by another data key, in batches of as
 * many, on two connections. Returns milliseconds.
 */
export async function updateBare(ownerUrl: string, keys: TenantKeys, count: number): Promise<number> {
  const batches: { ids: string[]; ciphertexts: Buffer[] }[] = [];
  for (let start = 0; start < count; start += updated) {
    const numbers = Array.from({ length: Math.min(updated, count - start) }, (_, index) => start + index);
    batches.push({
      ids: numbers.map(idOf),
      ciphertexts: numbers.map((number) => sealedValue(keys, number).ciphertext),
    });
  }
  const lane = async () => {
    const options = '-c role=keyferry_app -c search_path=keyferry';
    const application = new pg.Client({ connectionString: ownerUrl, options });
    await application.connect();
    for (let next = batches.pop(); next; next = batches.pop()) {
      await application.query(`BEGIN; SET LOCAL keyferry.tenant = '${defaultTenantId}'`);
      await application.query(
        `UPDATE key_versions v SET ciphertext = w.ciphertext, encryption_key_id = $1
         FROM unnest($2::uuid[], $3::bytea[]) AS w (id, ciphertext) WHERE v.key_id = w.id AND v.version = 1`,
        [keys.encryptionKeyId, next.ids, next.ciphertexts],
      );
      await application.query('COMMIT');
    }
    await application.end();
  };
  const startedAt = performance.now();
  await Promise.all([lane(), lane()]);
  return performance.now() - startedAt;
}
