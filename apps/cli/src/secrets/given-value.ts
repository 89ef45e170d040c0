import { isUtf8 } from 'node:buffer';
import { readFile } from 'node:fs/promises';
import type { SecretWrite } from '@keyferry/contracts';
import { KeyferryError } from '@keyferry/core';
import type { Io } from '../output/output.ts';
import { createInputReader, readSecret } from '../read-secret.ts';

/**
 * The value that a person gives: `@file` for a file as it is, else asked for on a terminal without showing it, or read
 * from standard input without the newline at its end. Throws `usage_invalid`, also for a value among the arguments.
 */
export async function givenValue(io: Io, source: string): Promise<SecretWrite> {
  if (source.startsWith('@')) return asWrite(await fileAt(source.slice(1)));
  if (source !== '' && source !== '-')
    throw new KeyferryError(
      'usage_invalid',
      'A value is not taken from the command line, where others can see it: give it on standard input, or as @file.',
    );
  const input = createInputReader(io);
  if (io.stdin.isTTY) return { value: await readSecret(io, input, '-', 'value'), encoding: 'utf8' };
  return asWrite(withoutNewline(await input.bytes('the value')));
}

function asWrite(bytes: Buffer): SecretWrite {
  if (bytes.length === 0) throw new KeyferryError('usage_invalid', 'The value is empty.');
  const encoding = isUtf8(bytes) ? 'utf8' : 'base64';
  return { value: bytes.toString(encoding), encoding };
}

function withoutNewline(bytes: Buffer): Buffer {
  if (!isUtf8(bytes) || bytes.at(-1) !== 0x0a) return bytes;
  return bytes.subarray(0, bytes.at(-2) === 0x0d ? -2 : -1);
}

async function fileAt(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    throw new KeyferryError('usage_invalid', `The file ${file} can't be read (${code}).`);
  }
}
