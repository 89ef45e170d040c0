/** What kind of secret a value is, by the vault's tag or by a recognised form. */
export const keyTypes = ['api_key', 'virtual_key', 'json', 'certificate', 'ssh_key', 'opaque'] as const;
export type KeyType = (typeof keyTypes)[number];

const isKeyType = (text: string): text is KeyType => (keyTypes as readonly string[]).includes(text);

/** `tag` is what the vault's metadata says under `type`; `value` is a JSON object of fields or plain text. */
export function keyTypeOf(value: string, tag: string | undefined): KeyType {
  if (tag !== undefined && isKeyType(tag)) return tag;
  const fields = fieldsOf(value);
  if (fields && fields.length !== 1) return 'json';
  const text = fields ? fields[0] : value;
  if (typeof text !== 'string') return 'opaque';
  if (/-----BEGIN (?:OPENSSH|RSA|EC|DSA) PRIVATE KEY-----|^ssh-(?:rsa|ed25519) /.test(text)) return 'ssh_key';
  if (text.includes('-----BEGIN CERTIFICATE-----')) return 'certificate';
  if (text.startsWith('sk-bf-')) return 'virtual_key';
  return /^[\x21-\x7e]{16,512}$/.test(text) ? 'api_key' : 'opaque';
}

function fieldsOf(value: string): unknown[] | null {
  if (!value.startsWith('{')) return null;
  try {
    return Object.values(JSON.parse(value) as object);
  } catch {
    return null;
  }
}
