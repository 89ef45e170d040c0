import { type KeyType, keyTypes, parseJson } from '@keyferry/core';
import { formatsByName, isOfFormat } from './catalogue.ts';
import type { Format } from './formats/format.ts';
import { isCertificate } from './formats/keys.ts';
import type { Reading } from './reading.ts';

export const isKeyType = (text: string): text is KeyType => (keyTypes as readonly string[]).includes(text);

/** The type of a value that no rule says one for: by the vault's tag, a well-known format, or the look of it. */
export function typeOf(value: Reading, tag: string | undefined, recognised: Format | null): KeyType {
  if (tag !== undefined && isKeyType(tag)) return tag;
  if (recognised) return recognised.type;
  if (value.fields && Object.keys(value.fields).length !== 1) return 'json';
  const text = value.form;
  if (text === null) return 'opaque';
  if (/-----BEGIN (?:OPENSSH|RSA|EC|DSA) PRIVATE KEY-----|^ssh-(?:rsa|ed25519) /.test(text)) return 'ssh_key';
  if (text.includes('-----BEGIN CERTIFICATE-----')) return 'certificate';
  if (text.startsWith('sk-bf-')) return 'virtual_key';
  return /^[\x21-\x7e]{16,512}$/.test(text) ? 'api_key' : 'opaque';
}

/**
 * Whether a text is of the type that a rule names. A key is one word of printable ASCII, whoever gave it; JSON is an
 * object or a list; a certificate and an SSH key have to be whole.
 */
export function isOfType(text: string, type: KeyType): boolean {
  switch (type) {
    case 'api_key':
    case 'virtual_key':
      return /^[\x21-\x7e]+$/.test(text) && !text.startsWith('{');
    case 'json':
      return isStructure(parseJson(text));
    case 'certificate':
      return isCertificate(text);
    case 'ssh_key':
      return ['ssh_private_key', 'ssh_public_key'].some((name) => isNamed(text, name));
    case 'opaque':
      return true;
  }
}

const isStructure = (value: unknown) => typeof value === 'object' && value !== null;

function isNamed(text: string, name: string): boolean {
  const format = formatsByName.get(name);
  return format !== undefined && isOfFormat(text, format);
}
