import type { Page } from '@keyferry/contracts';
import type { ApiClient, Query } from './client.ts';

/** What the API gives in one answer at most. */
const mostPerAnswer = 500;

/** Items of a list over as many answers as it takes, up to `limit`. `next_cursor` tells whether there are more. */
export async function readPages<Item>(
  api: ApiClient,
  path: string,
  limit: number,
  query: Query = {},
): Promise<Page<Item>> {
  const items: Item[] = [];
  let cursor: string | null = null;
  do {
    const page: Page<Item> = await api.get(path, {
      ...query,
      limit: Math.min(limit - items.length, mostPerAnswer),
      cursor: cursor ?? undefined,
    });
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor !== null && items.length < limit);
  return { items, next_cursor: cursor };
}
