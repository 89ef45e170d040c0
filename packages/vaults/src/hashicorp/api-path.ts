import type { HashicorpConfig } from './config.ts';

/**
 * A pattern that begins as the HTTP API addresses the mount (`<mount>/data/` or `<mount>/metadata/`, and `<mount>/` for version
 * 1), without that beginning. Where the version is left to be detected, it is taken for 2: of version 1 the beginnings may be
 * folders.
 */
export function withinMount(
  { mount, kv_version }: Pick<HashicorpConfig, 'mount' | 'kv_version'>,
  pattern: string,
): string {
  const beginnings = kv_version === 1 ? [`${mount}/`] : [`${mount}/data/`, `${mount}/metadata/`];
  const beginning = beginnings.find((text) => pattern.startsWith(text) && pattern.length > text.length);
  return beginning === undefined ? pattern : pattern.slice(beginning.length);
}
