import { vaultFailure } from '@keyferry/core';
import { slashedNames } from '../common/slashed-names.ts';

const grammar = /^[0-9a-zA-Z-]{1,127}$/;

/** Paths of a vault whose names have letters, digits and dashes alone. */
export interface Names {
  pathOf(name: string): string;
  /** The name of a path. Throws `vault_invalid` for one that no secret can have; `what` goes after "Could not". */
  nameOf(path: string, what: string): string;
}

export function createNames(separator: string): Names {
  const { pathOf, nameOf } = slashedNames(separator);
  return {
    pathOf,
    nameOf(path, what) {
      const name = nameOf(path);
      if (name !== null && grammar.test(name)) return name;
      const slash = separator === '' ? '' : `, and "${separator}" for a slash`;
      throw vaultFailure(
        'invalid',
        `Could not ${what}: names in Key Vault have up to 127 letters, digits and dashes${slash}.`,
      );
    },
  };
}
