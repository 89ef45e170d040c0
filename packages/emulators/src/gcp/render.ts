import { formatTime } from './clock.ts';
import type { Secret, Version, VersionState } from './store.ts';

const stateNumbers: Record<VersionState, number> = { ENABLED: 1, DISABLED: 2, DESTROYED: 3 };

export const etagOf = ({ etag }: { etag: number }): string => `"${etag.toString(16)}"`;

/** A secret as the service shows it; what is empty is left out. `parent` has the project's number. */
export function secretJson(secret: Secret, parent: string): object {
  const aliases = Object.entries(secret.versionAliases).map(([name, number]) => [name, String(number)]);
  return {
    name: `${parent}/secrets/${secret.id}`,
    ...(secret.replication !== null && { replication: secret.replication }),
    createTime: formatTime(secret.createdAt),
    ...(Object.keys(secret.labels).length > 0 && { labels: secret.labels }),
    ...(secret.expiresAt !== null && { expireTime: formatTime(secret.expiresAt) }),
    etag: etagOf(secret),
    ...(aliases.length > 0 && { versionAliases: Object.fromEntries(aliases) }),
    ...(Object.keys(secret.annotations).length > 0 && { annotations: secret.annotations }),
    ...(secret.versionDestroyTtl !== null && { versionDestroyTtl: `${secret.versionDestroyTtl / 1e6}s` }),
  };
}

function versionName(secret: Secret, version: Version, parent: string): string {
  return `${parent}/secrets/${secret.id}/versions/${version.number}`;
}

export function versionJson(secret: Secret, version: Version, parent: string, numericEnums: boolean): object {
  return {
    name: versionName(secret, version, parent),
    createTime: formatTime(version.createdAt),
    ...(version.destroyedAt !== null && { destroyTime: formatTime(version.destroyedAt) }),
    state: numericEnums ? stateNumbers[version.state] : version.state,
    ...(secret.replication !== null && { replicationStatus: { automatic: {} } }),
    etag: etagOf(version),
    ...(version.checked && { clientSpecifiedPayloadChecksum: true }),
    ...(version.scheduledDestroyAt !== null && { scheduledDestroyTime: formatTime(version.scheduledDestroyAt) }),
  };
}

export function accessJson(secret: Secret, version: Version, parent: string): object {
  return {
    name: versionName(secret, version, parent),
    payload: { data: version.data, dataCrc32c: String(version.crc32c) },
  };
}
