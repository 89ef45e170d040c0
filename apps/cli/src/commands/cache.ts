import type { Command } from 'commander';
import { addCommand, addGroup, type Host } from '../command.ts';

export function cacheCommands(program: Command, host: Host): void {
  const group = addGroup(program, 'cache', 'what Keyferry and its clients keep in memory');

  addCommand(group, host, {
    usage: 'flush',
    summary: 'have everything read anew: by every API process, and every client',
    example: 'cache flush',
    async run({ output, api }) {
      const flushed = await api().flushCache();
      output.answer(flushed, () => 'Flushed: what was read before is read again.');
    },
  });
}
