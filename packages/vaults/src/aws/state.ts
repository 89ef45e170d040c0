import type { DescribeSecretResponse, SecretListEntry, Tag } from '@aws-sdk/client-secrets-manager';
import { timeOf } from '../common/expiry-tag.ts';
import { fingerprint, sortedEntries } from '../common/revision.ts';
import type { ListedFacts } from '../contract.ts';

/** A secret without its value, as a listing and a description of it tell. */
export interface SecretState {
  /** The id of the version that holds AWSCURRENT, or null where none does: a secret without a value. */
  version: string | null;
  versionIds: string[];
  /** Scheduled for deletion. */
  scheduled: boolean;
  facts: ListedFacts;
}

const current = 'AWSCURRENT';

/** The state that an entry of a listing or a description shows, or null if it is none. */
export function stateOf(
  entry: Pick<SecretListEntry, 'DeletedDate' | 'LastChangedDate' | 'Tags'>,
  stages: SecretListEntry['SecretVersionsToStages'] | DescribeSecretResponse['VersionIdsToStages'],
): SecretState | null {
  const versions = Object.entries(stages ?? {});
  const metadata = tagsOf(entry.Tags ?? []);
  const { LastChangedDate: changed } = entry;
  if (metadata === null || !versions.every(([, labels]) => Array.isArray(labels))) return null;
  const version = versions.find(([, labels]) => labels.includes(current))?.[0] ?? null;
  const expiresAt = timeOf(metadata.expires_at)?.toISOString() ?? null;
  return {
    version,
    versionIds: versions.map(([id]) => id),
    scheduled: entry.DeletedDate !== undefined,
    facts: { metadata, expiresAt, version, since: isTime(changed) ? changed.toISOString() : null },
  };
}

const isTime = (value: unknown): value is Date => value instanceof Date && !Number.isNaN(value.getTime());

/** Changes with the version and with the tags. */
export function revisionOf(version: string, { metadata }: Pick<ListedFacts, 'metadata'>): string {
  return `${version}.${fingerprint(sortedEntries(metadata))}`;
}

function tagsOf(tags: readonly Tag[]): Record<string, string> | null {
  if (!Array.isArray(tags)) return null;
  const entries = tags.map(({ Key, Value = '' }) => [Key, Value] as const);
  if (!entries.every(([key, value]) => typeof key === 'string' && typeof value === 'string')) return null;
  return Object.fromEntries(entries);
}
