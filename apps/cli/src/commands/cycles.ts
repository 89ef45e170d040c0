import type { CycleAnswer, IssueAnswer } from '@keyferry/contracts';
import { cycleStates } from '@keyferry/contracts';
import { type Command, Option } from 'commander';
import { readPages } from '../api/pages.ts';
import { route } from '../api/route.ts';
import { addCommand, addGroup, count, type Host } from '../command.ts';
import { cycleFacts, issueTable } from '../cycles/describe.ts';
import { countsText, duration, relative } from '../output/format.ts';
import { table } from '../output/table.ts';

const mostIssues = 100;

interface ListOptions {
  backend?: string;
  state?: string;
  limit: number;
}

export function cyclesCommands(program: Command, host: Host): void {
  const group = addGroup(program, 'cycles', 'see what the runs of the pipeline did');

  addCommand<ListOptions>(group, host, {
    usage: 'list',
    summary: 'list cycles, newest first',
    example: 'cycles list --backend team --state failed',
    options: (command) =>
      command
        .option('--backend <backend>', 'of this backend')
        .addOption(new Option('--state <state>', 'in this state').choices(cycleStates))
        .option('--limit <number>', 'at most so many', count, 20),
    async run({ options: { backend, state, limit }, output, api }) {
      const path = backend === undefined ? '/federation/cycles' : route`/federation/backends/${backend}/cycles`;
      const page = await readPages<CycleAnswer>(api(), path, limit, { state });
      const now = new Date();
      const rows = page.items.map((cycle) => [
        cycle.id,
        cycle.backend,
        cycle.state,
        cycle.trigger,
        relative(cycle.opened_at, now),
        cycle.duration_ms === null ? null : duration(cycle.duration_ms),
        cycle.issues,
        cycle.error?.code ?? countsText(cycle.counts),
      ]);
      const head = ['CYCLE', 'BACKEND', 'STATE', 'TRIGGER', 'OPENED', 'TOOK', 'ISSUES', 'RESULT'];
      output.answer(page, () => (rows.length > 0 ? table(output, head, rows) : 'There is no such cycle.'));
      if (page.next_cursor !== null) output.note('There are more: --limit shows them.');
    },
  });

  addCommand(group, host, {
    usage: 'show <cycle>',
    summary: 'show a cycle: what it counted, and each secret that failed, and why',
    example: 'cycles show 0190a6c0-7f5e-4d0b-9b3e-1f2d3c4b5a69',
    async run({ args: [id = ''], output, api }) {
      const cycle = await api().get<CycleAnswer>(route`/federation/cycles/${id}`);
      const path = route`/federation/cycles/${id}/issues`;
      const issues = await readPages<IssueAnswer>(api(), path, mostIssues);
      output.answer({ ...cycle, issue_list: issues }, () => {
        const about = cycleFacts(output, cycle);
        return issues.items.length > 0 ? `${about}\n\n${issueTable(output, issues.items)}` : about;
      });
      if (issues.next_cursor !== null) output.note(`These are the first ${mostIssues} issues.`);
    },
  });
}
