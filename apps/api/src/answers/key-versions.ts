import type { KeyVersions } from '@keyferry/contracts';
import type { Key, KeyVersion } from '@keyferry/store';
import { shownTime } from './key.ts';

export function showVersions(key: Key, versions: readonly KeyVersion[]): KeyVersions {
  return {
    id: key.id,
    path: key.local_path,
    current: key.version,
    rolled_back: key.rolled_back,
    items: versions.map((version) => ({
      version: version.version,
      current: version.version === key.version,
      source: version.source,
      content_type: version.content_type,
      remote_version: version.remote_version,
      remote_created_at: shownTime(version.remote_created_at),
      created_at: version.created_at.toISOString(),
      readable_until: shownTime(version.readable_until),
    })),
  };
}
