import { vaultFailure } from '@keyferry/core';
import { isServiceAccount } from './gcp-service-account.ts';

/** The member that a document of nothing but a secret gives, by method. */
const singleSecret: Readonly<Record<string, string>> = {
  token: 'token',
  approle: 'secret_id',
  kubernetes: 'jwt',
  jwt: 'jwt',
  gcp: 'jwt',
};

/** Members of `auth` from a JSON object of them, a service account's key, or the text of a method's only secret. */
export function credentialsFrom(method: string, text: string): Record<string, unknown> {
  if (/^\s*\{/.test(text)) {
    if (method === 'gcp' && isServiceAccount(text)) return { credentials_json: text };
    return parseMembers(text);
  }
  const member = Object.hasOwn(singleSecret, method) ? singleSecret[method] : undefined;
  if (member === undefined) throw unusable(`of the method "${method}" must be a JSON object of members of auth`);
  if (text.trim() === '') throw unusable('must not be empty');
  return { [member]: text };
}

function parseMembers(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text);
  } catch {
    throw unusable('begin as JSON but are none');
  }
}

function unusable(why: string) {
  return vaultFailure('invalid', `The credentials ${why}.`, { code: 'config_invalid' });
}
