import { authorize, type Call } from './call.ts';
import type { ListedSecret } from './describe.ts';
import type { Input } from './input.ts';
import { Refusal } from './refusal.ts';

interface Filter {
  key: string;
  values: string[];
}

const filterKeys = ['description', 'name', 'tag-key', 'tag-value'];

/** Pages in the order in which secrets were made. Filters all have to hold; of a filter's values one is enough. */
export function listSecrets(call: Call): object {
  const { input, store, pageTokens } = call;
  const most = input.integer('MaxResults', { least: 1, most: 100 }) ?? 100;
  const nextToken = input.text('NextToken', { least: 1, most: 4096 });
  const includeDeleted = input.flag('IncludePlannedDeletion');
  const filters = (input.structures('Filters', { most: 10 }) ?? []).map(takeFilter);
  input.end();
  authorize(call, 'ListSecrets', '*');

  const query = [store.account, store.region, most, includeDeleted, filters];
  const from = nextToken === undefined ? 0 : pageTokens.redeem(query, nextToken);
  const page: ListedSecret[] = [];
  let more = false;
  for (const secret of store.listed(from)) {
    if ((secret.deleted && !includeDeleted) || !filters.every((filter) => matches(secret, filter))) continue;
    more = page.length === most;
    if (more) break;
    page.push(secret);
  }
  const last = page.at(-1)?.sequence ?? from;
  return {
    SecretList: page.map(({ entry }) => entry),
    ...(more && { NextToken: pageTokens.issue(query, last) }),
  };
}

function takeFilter(input: Input): Filter {
  const key = input.requiredText('Key');
  const values = input.texts('Values', { least: 1, most: 10 }) ?? [];
  input.end();
  if (!filterKeys.includes(key)) throw new Refusal('InvalidParameterException', `Unsupported filter key: ${key}.`);
  for (const value of values)
    if (!/^!?[a-zA-Z0-9 :_@/+=.\-!]{0,512}$/.test(value))
      throw new Refusal('ValidationException', 'A filter value has characters that are not allowed.');
  return { key, values };
}

/** Names and tags by their beginning, case counts; a value after an exclamation mark must not match. */
function matches(secret: ListedSecret, { key, values }: Filter): boolean {
  return values.some((value) => {
    const negated = value.startsWith('!');
    const prefix = negated ? value.slice(1) : value;
    return textsOf(secret, key).some((text) => text.startsWith(prefix)) !== negated;
  });
}

function textsOf(secret: ListedSecret, key: string): readonly string[] {
  if (key === 'name') return [secret.name];
  if (key === 'description') return [secret.description];
  return key === 'tag-key' ? [...secret.tags.keys()] : [...secret.tags.values()];
}
