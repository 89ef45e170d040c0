import type { SecretAnswer } from '@keyferry/contracts';
import { KeyferryError } from '@keyferry/core';
import { duration } from '../output/format.ts';
import type { Output } from '../output/output.ts';
import { printable } from '../output/printable.ts';

/**
 * Writes a value as it is, with a newline behind it on a terminal alone. Throws `usage_invalid` for a value that is no
 * text on a terminal, which it could harm.
 */
export function showValue(output: Output, secret: SecretAnswer): void {
  const { stdout } = output.io;
  const { path, value, encoding, state, stale, age } = secret;
  if (output.json) {
    output.answer(secret, () => value);
    return;
  }
  if (stdout.isTTY && encoding === 'base64')
    throw new KeyferryError('usage_invalid', `The value of ${path} is no text: send it to a file.`);
  stdout.write(Buffer.from(value, encoding));
  if (stdout.isTTY) stdout.write('\n');
  const name = printable(path);
  if (state === 'deprecated') output.note(`${name} is deprecated: its vault does not have it any more.`);
  if (stale) output.note(`${name} could not be asked for: this is the value of ${duration(age * 1_000)} ago.`);
}
