import type { CycleAnswer, IssuePage } from '@keyferry/contracts';
import { type Command, Option } from 'commander';
import { route } from '../api/route.ts';
import { addCommand, type Host } from '../command.ts';
import { cycleFacts, cycleLine, issueTable } from '../cycles/describe.ts';
import { followCycle } from '../cycles/follow-cycle.ts';
import { showProgress } from '../cycles/progress.ts';
import { exitCodes } from '../exit-codes.ts';
import { followPlan } from '../plans/follow-plan.ts';

export function syncCommand(program: Command, host: Host): void {
  addCommand<{ wait?: boolean; dryRun?: boolean }>(program, host, {
    usage: 'sync <backend>',
    summary: 'start a cycle now, or join the one that is open',
    example: 'sync team --wait',
    options: (command) =>
      command
        .option('-w, --wait', 'wait for its end; exit code 1 if it failed')
        .addOption(new Option('-n, --dry-run', 'only show what a cycle would do now').conflicts('wait')),
    async run({ options, args: [name = ''], output, next, api }) {
      if (options.dryRun) {
        await followPlan(api(), name, output);
        return exitCodes.ok;
      }
      const opened = await api().post<CycleAnswer>(route`/federation/backends/${name}/sync`);
      if (!options.wait) {
        output.answer(opened, () => cycleFacts(output, opened));
        output.note(`\nNext: ${next(`cycles show ${opened.id}`)}.`);
        return exitCodes.ok;
      }
      const progress = showProgress(output);
      const cycle = await followCycle(api(), opened.id, progress.show).finally(progress.end);
      output.answer(cycle, () => `${cycle.backend ?? name}: ${cycleLine(cycle)}`);
      if (!output.json && cycle.issues > 0) {
        const { items } = await api().get<IssuePage>(route`/federation/cycles/${cycle.id}/issues`);
        output.note(`\n${issueTable(output, items)}`);
      }
      return cycle.state === 'completed' ? exitCodes.ok : exitCodes.failed;
    },
  });
}
