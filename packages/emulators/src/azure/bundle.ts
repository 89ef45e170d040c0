import { currentOf, retentionDays, retentionMs, type Secret, type SecretVersion } from './secrets.ts';

/** How the service shows secrets. `base` is the vault's own address. */

function attributesOf(version: SecretVersion): object {
  const { enabled, notBefore: nbf, expires: exp, created, updated } = version;
  const recovery = { recoveryLevel: 'CustomizedRecoverable+Purgeable', recoverableDays: retentionDays };
  return {
    enabled,
    ...(nbf !== undefined && { nbf }),
    ...(exp !== undefined && { exp }),
    created,
    updated,
    ...recovery,
  };
}

function propertiesOf({ name, managed }: Secret, version: SecretVersion, base: string): object {
  const { contentType, tags } = version;
  return {
    ...(contentType !== undefined && { contentType }),
    attributes: attributesOf(version),
    tags,
    ...(managed && { managed: true, kid: `${base}/keys/${name}/${version.id}` }),
  };
}

/** A version with its value. */
export function bundleOf(secret: Secret, version: SecretVersion, base: string): object {
  const id = `${base}/secrets/${secret.name}/${version.id}`;
  return { value: version.value, id, ...propertiesOf(secret, version, base) };
}

/** As a listing shows it: its id is without a version. */
export function itemOf(secret: Secret, base: string): object {
  return { id: `${base}/secrets/${secret.name}`, ...propertiesOf(secret, currentOf(secret), base) };
}

/** As a listing of versions shows one. */
export function versionItemOf(secret: Secret, version: SecretVersion, base: string): object {
  return { id: `${base}/secrets/${secret.name}/${version.id}`, ...propertiesOf(secret, version, base) };
}

/** A deleted secret, never with its value. */
export function deletedOf(secret: Secret, base: string): object {
  const version = currentOf(secret);
  const deletedAt = secret.deletedAt ?? 0;
  return {
    recoveryId: `${base}/deletedsecrets/${secret.name}`,
    deletedDate: Math.floor(deletedAt / 1000),
    scheduledPurgeDate: Math.floor((deletedAt + retentionMs) / 1000),
    ...versionItemOf(secret, version, base),
  };
}
