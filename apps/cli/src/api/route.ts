import { KeyferryError } from '@keyferry/core';

/**
 * A template for the addresses of the API: what is put in is encoded, so that a name reaches one route alone.
 * Throws `usage_invalid` for a name that an address can't hold.
 */
export function route(parts: TemplateStringsArray, ...names: string[]): string {
  return parts.reduce((path, part, index) => `${path}${encode(names[index - 1] ?? '')}${part}`);
}

function encode(name: string): string {
  // An address is resolved before it is sent: dots would name the folder above.
  if (name === '' || name === '.' || name === '..')
    throw new KeyferryError('usage_invalid', `"${name}" can't be the name of anything.`);
  return encodeURIComponent(name);
}
