import type { FailureList, FailureReplayed } from '@keyferry/contracts';
import { KeyferryError } from '@keyferry/core';
import type { Command } from 'commander';
import type { ApiClient } from '../api/client.ts';
import { route } from '../api/route.ts';
import { addCommand, addGroup, count, type Host } from '../command.ts';
import { relative } from '../output/format.ts';
import { table } from '../output/table.ts';

export function jobsCommands(program: Command, host: Host): void {
  const group = addGroup(program, 'jobs', 'see failed work and try it again');

  addCommand<{ backend?: string; limit: number }>(group, host, {
    usage: 'failed',
    summary: 'list failed work, newest first: what is tried again by itself, and what gave up',
    example: 'jobs failed --backend team',
    options: (command) =>
      command
        .option('--backend <backend>', 'of this backend')
        .option('--limit <number>', 'at most so many', count, 100),
    async run({ options: { backend, limit }, output, api }) {
      const list = await api().get<FailureList>('/federation/failures', { backend, limit: Math.min(limit, 500) });
      const now = new Date();
      const rows = list.items.map((failure) => [
        failure.id,
        failure.backend,
        failure.stage,
        failure.state,
        failure.attempts,
        relative(failure.last_failed_at, now),
        failure.code,
        failure.message,
      ]);
      const head = ['JOB', 'BACKEND', 'STAGE', 'STATE', 'ATTEMPTS', 'LAST', 'CODE', 'MESSAGE'];
      output.answer(list, () => (rows.length > 0 ? table(output, head, rows) : 'No work has failed.'));
    },
  });

  addCommand(group, host, {
    usage: 'replay <job-or-backend>',
    summary: 'try a backend’s failed work again: a job’s id, or the backend’s name',
    example: 'jobs replay team',
    async run({ args: [name = ''], output, api }) {
      const id = await failureId(api(), name);
      const replayed = await api().post<FailureReplayed>(route`/federation/failures/${id}/replay`);
      const { id: cycle } = replayed.cycle;
      const how = replayed.resumed ? 'goes on where it gave up' : 'was opened in place of the one that failed';
      output.answer(replayed, () => `The cycle ${cycle} ${how}: \`keyferry cycles show ${cycle}\`.`);
    },
  });
}

async function failureId(api: ApiClient, name: string): Promise<string> {
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(name)) return name;
  const { items } = await api.get<FailureList>('/federation/failures', { backend: name });
  // One replay takes all of a backend's failed work.
  const [failed] = items.filter((failure) => failure.state === 'failed');
  if (!failed) throw new KeyferryError('nothing_to_replay', `The backend "${name}" has no work that gave up.`);
  return failed.id;
}
