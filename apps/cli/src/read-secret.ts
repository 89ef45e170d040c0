import type { Readable, Writable } from 'node:stream';
import { isCancel, password } from '@clack/prompts';
import { KeyferryError } from '@keyferry/core';
import type { Io } from './output/output.ts';

/** Reads standard input as a whole, once: a second reader would find it empty. */
export interface InputReader {
  /** `what` names it for people. Throws `usage_invalid` if something else has been read from it already. */
  read(what: string): Promise<string>;
  /** The same as it is, for what may be no text. */
  bytes(what: string): Promise<Buffer>;
}

export function createInputReader(io: Io): InputReader {
  let reader: string | undefined;
  async function bytes(what: string): Promise<Buffer> {
    if (reader)
      throw new KeyferryError(
        'usage_invalid',
        `Standard input can't give both ${reader} and ${what}: give one otherwise.`,
      );
    reader = what;
    const chunks: Buffer[] = [];
    for await (const chunk of io.stdin) chunks.push(Buffer.from(chunk));
    return Buffer.concat(chunks);
  }
  return { bytes, read: async (what) => (await bytes(what)).toString('utf8') };
}

/**
 * A secret given on the command line: as it is, or, for `-`, asked for on a terminal without showing it, else read from
 * standard input with the line's end taken off. Throws `usage_invalid` if it is empty.
 */
export async function readSecret(io: Io, input: InputReader, given: string, what: string): Promise<string> {
  const secret = given === '-' ? await obtain(io, input, what) : given;
  if (secret === '') throw new KeyferryError('usage_invalid', `The ${what} is empty.`);
  return secret;
}

async function obtain(io: Io, input: InputReader, what: string): Promise<string> {
  if (!io.stdin.isTTY) return (await input.read(`the ${what}`)).replace(/\r?\n$/, '');
  const answer = await password({
    message: `The ${what}:`,
    input: io.stdin as Readable,
    output: io.stderr as Writable,
  });
  if (isCancel(answer)) throw new KeyferryError('usage_invalid', 'Nothing was done.');
  return answer ?? '';
}
