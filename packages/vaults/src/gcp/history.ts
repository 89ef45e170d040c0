import { pageTrail } from '../common/page-trail.ts';
import type { SecretVersion } from '../contract.ts';
import { malformed } from './errors.ts';
import { type Names, readName } from './names.ts';
import { entriesAPage, versionsPage } from './page.ts';
import type { SecretReader } from './read.ts';
import type { Ask } from './session.ts';
import { dateOf, stateOf, type Version } from './state.ts';

/** The versions of a secret, the newest first, each with the aliases that name it. */
export async function versionsOf(
  names: Names,
  ask: Ask,
  reader: SecretReader,
  path: string,
  signal: AbortSignal,
): Promise<SecretVersion[]> {
  const what = `list the versions of "${path}"`;
  const parent = names.secret(names.secretOf(path, what));
  const { versionAliases } = await reader.secret('history', path, signal);
  const aliases = Object.entries(versionAliases ?? {}).map(([alias, version]) => [alias, String(version)] as const);
  const versions: SecretVersion[] = [];
  const follow = pageTrail(() => malformed(what));
  let from = '';
  do {
    const { items, next } = await versionsPage(ask, parent, { size: entriesAPage, from }, what, signal);
    for (const item of items) {
      const version = versionOf(item, what);
      const labels = aliases.filter(([, number]) => number === version.version).map(([alias]) => alias);
      // The newest is what `latest` means, whatever its state.
      versions.push({ ...version, current: versions.length === 0, labels });
    }
    from = follow(next) ?? '';
  } while (from !== '');
  return versions;
}

function versionOf(item: Version, what: string): Pick<SecretVersion, 'version' | 'createdAt' | 'state'> {
  const version = readName(item.name)?.version ?? null;
  const state = stateOf(item);
  if (version === null || state === null) throw malformed(what);
  return { version, createdAt: dateOf(item.createTime), state };
}
