/** A path of the vault for use in a URL: each segment percent-encoded, slashes kept. */
export function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}

/**
 * Whether a path can be put in a URL and mean itself. Dots and empty segments are resolved away by servers and
 * proxies, so that asking for `a/../b` would give another secret; a lone surrogate has no encoding at all.
 */
export function isAddressable(path: string): boolean {
  return path.isWellFormed() && path.split('/').every((segment) => segment !== '' && !/^\.{1,2}$/.test(segment));
}
