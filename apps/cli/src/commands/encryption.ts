import type { EncryptionAnswer, RotatedAnswer } from '@keyferry/contracts';
import type { Command } from 'commander';
import { addCommand, type Host } from '../command.ts';
import { encryptionText } from '../encryption/describe.ts';
import { followRewrap } from '../encryption/follow-rewrap.ts';
import { relative } from '../output/format.ts';

/** What data and master keys need of an operator. */
export function encryptionCommands(group: Command, host: Host): void {
  addCommand(group, host, {
    usage: 'encryption',
    summary: 'tell which master keys are in use, and how data keys stand',
    example: 'keys encryption',
    async run({ output, api }) {
      const answer = await api().get<EncryptionAnswer>('/encryption');
      output.answer(answer, () => encryptionText(output, answer));
    },
  });

  addCommand(group, host, {
    usage: 'rotate',
    summary: 'give a tenant a new data key; `keys rewrap` seals what it has anew',
    example: 'keys rotate --tenant payments',
    async run({ output, api }) {
      const rotated = await api().post<RotatedAnswer>('/encryption/rotate');
      output.answer(rotated, () => `The data key ${rotated.id} is used ${relative(rotated.current_from, new Date())}.`);
      output.note('What the one before has sealed is sealed anew by `keyferry keys rewrap`.');
    },
  });

  addCommand(group, host, {
    usage: 'rewrap',
    summary:
      'wrap data keys by the current master key, and seal anew what retired ones have sealed; goes on where it was',
    example: 'keys rewrap',
    async run({ output, api }) {
      await followRewrap(api(), output);
    },
  });
}
