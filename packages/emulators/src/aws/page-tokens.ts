import { createHash, createHmac, randomBytes } from 'node:crypto';
import { Refusal } from './refusal.ts';

/** How long a token is good. The real service doesn't tell. */
const lifetimeMs = 3_600_000;

/** Tokens of pages that are good for the query they were made for, for an hour, and can't be made up. */
export class PageTokens {
  readonly #key = randomBytes(32);
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  issue(query: unknown, position: number): string {
    const text = `${position}.${this.#now()}.${digest(query)}`;
    return Buffer.from(`${text}.${this.#sign(text)}`).toString('base64');
  }

  /** The position, or what the service answers to a token that isn't good here. */
  redeem(query: unknown, token: string): number {
    const [position = '', issuedAt = '', queryDigest = '', signature = ''] = Buffer.from(token, 'base64')
      .toString()
      .split('.');
    const genuine = this.#sign(`${position}.${issuedAt}.${queryDigest}`) === signature;
    if (!genuine || queryDigest !== digest(query) || this.#now() > Number(issuedAt) + lifetimeMs)
      throw new Refusal('InvalidNextTokenException', 'Invalid NextToken value.');
    return Number(position);
  }

  #sign(text: string): string {
    return createHmac('sha256', this.#key).update(text).digest('hex');
  }
}

const digest = (query: unknown) => createHash('sha256').update(JSON.stringify(query)).digest('hex');
