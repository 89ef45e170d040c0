import type { WhoamiAnswer } from '@keyferry/contracts';
import type { Command } from 'commander';
import { addCommand, type Host } from '../command.ts';
import { whoamiFacts } from '../identities/describe.ts';

export function whoamiCommand(program: Command, host: Host): void {
  addCommand(program, host, {
    usage: 'whoami',
    summary: 'tell who KEYFERRY_TOKEN stands for, and what they may do with the tenant as a whole',
    example: 'whoami',
    async run({ output, api }) {
      const who = await api().get<WhoamiAnswer>('/whoami');
      output.answer(who, () => whoamiFacts(output, who));
    },
  });
}
