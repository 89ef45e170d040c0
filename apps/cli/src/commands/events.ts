import type { Command } from 'commander';
import { addCommand, addGroup, type Host } from '../command.ts';
import { eventLine } from '../events/event-line.ts';
import { followEvents, newestPosition } from '../events/follow-events.ts';
import { endOnSignals } from '../signals.ts';

export function eventsCommands(program: Command, host: Host): void {
  const group = addGroup(program, 'events', 'see what happens');

  addCommand<{ all?: boolean }>(group, host, {
    usage: 'tail',
    summary: 'print events as they happen, until Ctrl-C; with --json one CloudEvent a line',
    example: 'events tail --json',
    options: (command) => command.option('--all', 'begin with the oldest event that is kept'),
    async run({ options, output, api }) {
      using stop = endOnSignals();
      const after = options.all ? 0 : await newestPosition(api());
      await followEvents(
        api(),
        after,
        (event) => output.answer(event, () => eventLine(event)),
        stop.signal,
        (problem) => output.note(problem),
      );
    },
  });
}
