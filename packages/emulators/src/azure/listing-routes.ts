import type { Reply } from '../http/send.ts';
import { badParameter, json } from './answer.ts';
import { deletedOf, itemOf, versionItemOf } from './bundle.ts';
import type { VaultOperation } from './operations.ts';
import type { AzureRequest } from './request.ts';
import type { SecretStore } from './secrets.ts';
import type { SkipTokens } from './skip-token.ts';

/** One thing of a listing, and the name by which the next page goes on after it. */
interface Item {
  key: string;
  shown: object;
}

type ListOperation = Extract<VaultOperation['operation'], 'GetSecrets' | 'GetSecretVersions' | 'GetDeletedSecrets'>;

const mostResults = 25;

/** A page of secrets, of versions or of deleted secrets. */
export function list(
  secrets: SecretStore,
  tokens: SkipTokens,
  { operation, name }: VaultOperation & { operation: ListOperation },
  { query, segments, base }: AzureRequest,
): Reply {
  const wanted = query.get('maxresults') ?? String(mostResults);
  if (!/^\d{1,4}$/.test(wanted) || Number(wanted) < 1 || Number(wanted) > mostResults)
    return badParameter(`The 'maxresults' parameter must be between 1 and ${mostResults}.`);
  const path = segments?.join('/') ?? '';
  const bound = `${path.toLowerCase()}?${wanted}`;
  const token = query.get('$skiptoken');
  const after = token === null ? '' : tokens.read(bound, token);
  if (after === null) return badParameter("The '$skiptoken' parameter is invalid.");

  const page: Item[] = [];
  let more = false;
  for (const item of itemsOf(operation, secrets, name ?? '', after, base)) {
    more = page.length === Number(wanted);
    if (more) break;
    page.push(item);
  }
  const next = new URLSearchParams({
    'api-version': query.get('api-version') ?? '',
    $skiptoken: tokens.issue(bound, page.at(-1)?.key ?? ''),
    maxresults: wanted,
  });
  return json(200, { value: page.map(({ shown }) => shown), nextLink: more ? `${base}/${path}?${next}` : null });
}

function itemsOf(
  operation: ListOperation,
  secrets: SecretStore,
  name: string,
  after: string,
  base: string,
): Iterable<Item> {
  switch (operation) {
    case 'GetSecrets':
      return inPhase('live', itemOf);
    case 'GetDeletedSecrets':
      return inPhase('deleted', deletedOf);
    case 'GetSecretVersions':
      return versions();
  }

  function* inPhase(phase: 'live' | 'deleted', show: typeof itemOf): Generator<Item> {
    for (const secret of secrets.after(after))
      if (secrets.phaseOf(secret) === phase) yield { key: secret.name, shown: show(secret, base) };
  }

  /** In the order of their ids, which is none in time. Nothing for a name that isn't there. */
  function* versions(): Generator<Item> {
    const secret = secrets.find(name);
    if (secret === undefined || secrets.phaseOf(secret) !== 'live') return;
    for (const version of secret.versions.toSorted((a, b) => (a.id < b.id ? -1 : 1)))
      if (version.id > after) yield { key: version.id, shown: versionItemOf(secret, version, base) };
  }
}
