import { createHmac, randomBytes } from 'node:crypto';

/** Signs where a listing goes on, so that a token is good for the query that it came with alone. */
export class SkipTokens {
  readonly #key = randomBytes(32);

  /** `query` is what a continued listing has to have in common with the first page. */
  issue(query: string, after: string): string {
    return `${this.#sign(query, after)}${Buffer.from(after).toString('base64url')}`;
  }

  /** After which name the listing goes on, or null for a token that is none of this query's. */
  read(query: string, token: string): string | null {
    const after = Buffer.from(token.slice(22), 'base64url').toString();
    return this.issue(query, after) === token ? after : null;
  }

  #sign(query: string, after: string): string {
    return createHmac('sha256', this.#key).update(`${query}\n${after}`).digest('base64url').slice(0, 22);
  }
}
