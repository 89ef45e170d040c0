import type { PagedAsyncIterableIterator, SecretClient, SecretProperties } from '@azure/keyvault-secrets';
import { isObject, parseJson } from '@keyferry/core';
import type { ConnectContext } from '../contract.ts';
import { malformed } from './errors.ts';
import type { Question, Session } from './session.ts';
import { vaultNow } from './state.ts';

/** The most that the vault gives at once. */
const pageSize = 25;

export interface Page {
  items: SecretProperties[];
  /** The vault's clock when it answered. */
  at: number;
}

/**
 * Pages of a listing, each a call of its own that can be tried again. Where the next one is, is read from the answer
 * itself: the SDK goes on by itself alone, and doesn't tell.
 */
export async function* pagesOf(
  session: Session,
  context: ConnectContext,
  question: Question,
  list: (sdk: SecretClient) => PagedAsyncIterableIterator<SecretProperties>,
): AsyncGenerator<Page, void, void> {
  let next: string | null = null;
  let read = 0;
  let mark: string | null = null;
  do {
    const from: string | null = next;
    const { page, after }: { page: Page; after: string | null } = await session.ask(
      question,
      (sdk) => firstPage(list(sdk), from),
      (exchange) => {
        const items = session.resultOf(exchange, question.what);
        const { text, headers } = exchange.answer;
        return { page: { items, at: vaultNow(headers, context.now()) }, after: nextLinkIn(text, question.what) };
      },
    );
    if (after !== null && (after === from || after === mark)) throw malformed(question.what);
    // Pages that lead back to themselves, by however many others, meet a mark that moves ever more seldom.
    read += 1;
    if (Number.isInteger(Math.log2(read))) mark = after;
    yield page;
    next = after;
  } while (next !== null);
}

async function firstPage(
  listing: PagedAsyncIterableIterator<SecretProperties>,
  from: string | null,
): Promise<SecretProperties[]> {
  const pages = listing.byPage({ maxPageSize: pageSize, ...(from !== null && { continuationToken: from }) });
  const { done, value } = await pages.next();
  if (done) throw new Error('no page');
  return value;
}

function nextLinkIn(text: string, what: string): string | null {
  const body = parseJson(text);
  const link = isObject(body) ? body.nextLink : undefined;
  if (link === undefined || link === null || link === '') return null;
  if (typeof link === 'string' && URL.canParse(link)) return link;
  throw malformed(what);
}
