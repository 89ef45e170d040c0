import { KeyferryError } from '@keyferry/core';

/**
 * `host:port` of a service's URL, for people: what else is in it may be secret. Throws `config_invalid`, with the name of
 * the variable, for what is no such URL.
 */
export function addressOf(url: string, variable: string, protocols: readonly string[]): string {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (!parsed || !protocols.includes(parsed.protocol))
    throw new KeyferryError('config_invalid', `${variable} has to be a URL that starts with ${protocols[0]}//.`);
  return parsed.host || parsed.searchParams.get('host') || 'this machine';
}
