/** Names of values, for `ETag` and `If-Match`: two answers with one are of the same value. Neither tells anything of it. */

export const storedEtag = (keyId: string, version: number): string => `"${keyId}.${version}"`;

/** The digest is keyed: without the tenant's key nobody can tell of which value it is. */
export const proxiedEtag = (backendId: string, digest: Buffer): string =>
  `"${backendId}.${digest.toString('hex').slice(0, 32)}"`;

/** Whether a header such as `If-None-Match` names it: `*`, or a list in which marks of weakness don't count. */
export function etagMatches(header: string, etag: string): boolean {
  if (header === etag) return true;
  return header.split(',').some((part) => {
    const named = part.trim();
    return named === '*' || named === etag || named === `W/${etag}`;
  });
}
