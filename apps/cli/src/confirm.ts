import type { Readable, Writable } from 'node:stream';
import { confirm as ask, isCancel } from '@clack/prompts';
import { KeyferryError } from '@keyferry/core';
import type { Output } from './output/output.ts';

/**
 * Asks a person, unless `--yes` was given. Throws `usage_invalid` where there is nobody to ask, or the answer is no.
 */
export async function confirm(output: Output, yes: boolean | undefined, question: string): Promise<void> {
  if (yes) return;
  const { stdin, stderr } = output.io;
  if (output.json || !stdin.isTTY || !stderr.isTTY)
    throw new KeyferryError('usage_invalid', `${question} Say so with --yes: there is no terminal to ask on.`);
  const answer = await ask({
    message: question,
    initialValue: false,
    input: stdin as Readable,
    output: stderr as Writable,
  });
  if (isCancel(answer) || !answer) throw new KeyferryError('usage_invalid', 'Nothing was done.');
}
