import { isUtf8 } from 'node:buffer';
import { type SecretValue, vaultFailure } from '@keyferry/core';

/** What the vault takes. */
const limits = { valueBytes: 25_600, tags: 15, tagLength: 256 };

/** The text of a value. Throws `vault_invalid` or `vault_too_large` for one that can't be written as it is. */
export function textOf(value: SecretValue, path: string): string {
  const bytes = value.reveal();
  if (bytes.length > limits.valueBytes)
    throw vaultFailure(
      'too_large',
      `Could not write "${path}": a secret of Key Vault has at most ${limits.valueBytes} bytes.`,
    );
  if (!isUtf8(bytes))
    throw vaultFailure(
      'invalid',
      `Could not write "${path}": Key Vault holds text alone, and the value is none; encode it, as in base64.`,
    );
  return bytes.toString();
}

/** Throws `vault_invalid` for metadata that can't be tags. */
export function checkTags(metadata: Readonly<Record<string, string>>, path: string): void {
  const entries = Object.entries(metadata);
  const fit = entries.every(([name, value]) => name !== '' && Math.max(name.length, value.length) <= limits.tagLength);
  if (entries.length <= limits.tags && fit) return;
  throw vaultFailure(
    'invalid',
    `Could not write "${path}": a secret of Key Vault has at most ${limits.tags} tags of up to ${limits.tagLength} characters.`,
  );
}
