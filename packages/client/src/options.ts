import { clientError, type KeyferryClientError } from './error.ts';

/** A whole number and a unit: `30s`, `15m`, `24h`, `7d`. */
export type Duration = `${number}${'s' | 'm' | 'h' | 'd'}`;

export interface ClientOptions {
  /** Where Keyferry's API is, such as `https://keyferry.example.com`. */
  url: string;
  /** Its bearer token. It is sent there and nowhere else. */
  token: string;
  /**
   * How long a value is given without asking again. Changes of what Keyferry stores are told at once and need no such
   * time; what it reads through to a vault (proxy mode) can be as old as this. `0s` asks each time.
   * @default '60s'
   */
  cacheTtl?: Duration;
  /**
   * How long the last value is given while Keyferry can't be reached; `0s` never gives one.
   * @default '1h'
   */
  maxStale?: Duration;
  /**
   * The most values that are kept; beyond it the one that was read the longest ago goes.
   * @default 10000
   */
  maxEntries?: number;
  /**
   * Where `env.<VAR>` is looked up.
   * @default process.env
   */
  environment?: Readonly<Record<string, string | undefined>>;
  /** Told of what has no other place to go: Keyferry can't be followed, a watched secret can't be read. */
  onError?: (error: KeyferryClientError) => void;
  /** Stands for the global `fetch`. */
  fetch?: typeof globalThis.fetch;
  /** A clock that only goes forward, in milliseconds; for tests. */
  now?: () => number;
}

/** The options as the client works with them: checked, with their defaults, times in milliseconds. */
export interface Settings {
  readonly url: string;
  readonly token: string;
  readonly cacheTtlMs: number;
  readonly maxStaleMs: number;
  readonly maxEntries: number;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly onError: (error: KeyferryClientError) => void;
  readonly fetch: typeof globalThis.fetch;
  readonly now: () => number;
}

/** Throws `options_invalid`. */
export function settingsOf(options: ClientOptions): Settings {
  const { cacheTtl = '60s', maxStale = '1h', maxEntries = 10_000, onError = () => {}, environment } = options;
  if (!Number.isSafeInteger(maxEntries) || maxEntries < 1)
    throw clientError('options_invalid', 'maxEntries has to be a whole number above 0.');
  return {
    url: checkedUrl(options.url),
    token: checkedToken(options.token),
    cacheTtlMs: milliseconds(cacheTtl, 'cacheTtl'),
    maxStaleMs: milliseconds(maxStale, 'maxStale'),
    maxEntries,
    environment: environment ?? process.env,
    onError,
    fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
    now: options.now ?? (() => performance.now()),
  };
}

function checkedUrl(text: string): string {
  const url = typeof text === 'string' && URL.canParse(text) ? new URL(text) : null;
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.search || url.hash)
    throw clientError('options_invalid', 'url has to be an address such as https://keyferry.example.com.');
  return url.href.replace(/\/+$/, '');
}

function checkedToken(text: string): string {
  if (typeof text !== 'string' || !/^[\x21-\x7e]+$/.test(text))
    throw clientError('options_invalid', 'token has to be the token of Keyferry’s API.');
  return text;
}

const unitMs = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function milliseconds(text: string, name: string): number {
  const [, amount, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  if (amount === undefined)
    throw clientError('options_invalid', `${name} has to be a whole number and a unit, such as 30s, 15m or 24h.`);
  return Number(amount) * unitMs[unit as keyof typeof unitMs];
}
