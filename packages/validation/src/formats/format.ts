import type { KeyType } from '@keyferry/core';
import type { Provider } from '../providers.ts';

/** A well-known form of keys. */
export interface Format {
  /** By which a rule names it. */
  readonly name: string;
  /** What it is called in messages, with its article. */
  readonly label: string;
  /** Null where several give keys of this form. */
  readonly provider: Provider | null;
  readonly type: KeyType;
  /** Beginnings that nobody else uses: what begins so and isn't the format as a whole is malformed. */
  readonly prefixes: readonly string[];
  /** Beginnings that others use as well. A format that has neither is never recognised, only asked for by a rule. */
  readonly otherPrefixes: readonly string[];
  /** Of whole values; linear, and lenient where the vendor varies: a false warning is worse than none. */
  readonly pattern: RegExp;
  /** What a pattern can't tell, such as a checksum. */
  readonly verify?: (text: string) => boolean;
}

type Given = Omit<Format, 'type' | 'prefixes' | 'otherPrefixes'> & Partial<Format>;

export function format(given: Given): Format {
  return { type: 'api_key', prefixes: [], otherPrefixes: [], ...given };
}
