import type { Credentials } from './clients.ts';
import { malformed } from './errors.ts';

/** Credentials in JSON as the metadata services give them. Throws `vault_invalid` if it is none. */
export function credentialsOf(text: string, what: string): Credentials {
  const { AccessKeyId, SecretAccessKey, Token, Expiration } = parse(text);
  const expiresAt = typeof Expiration === 'string' ? Date.parse(Expiration) : Number.NaN;
  const texts = [AccessKeyId, SecretAccessKey, Token];
  if (!texts.every((part) => typeof part === 'string' && part !== '') || Number.isNaN(expiresAt)) throw malformed(what);
  const [accessKeyId = '', secretAccessKey = '', sessionToken = ''] = texts.map(String);
  return { accessKeyId, secretAccessKey, sessionToken, expiresAt };
}

function parse(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}
