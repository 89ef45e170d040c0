import type { CycleAnswer, IssueAnswer } from '@keyferry/contracts';
import { countsText, duration, plural } from '../output/format.ts';
import type { Output } from '../output/output.ts';
import { printable } from '../output/printable.ts';
import { facts, table } from '../output/table.ts';

/** What a cycle did, in one line: `completed in 0.4 s, 12 discovered: 12 added`. */
export function cycleLine(cycle: CycleAnswer): string {
  if (cycle.state === 'open') return `open, in its ${cycle.stage} stage`;
  const took = cycle.duration_ms === null ? '' : ` in ${duration(cycle.duration_ms)}`;
  const issues = cycle.issues > 0 ? `, ${plural(cycle.issues, 'issue')}` : '';
  const error = cycle.error ? `: ${printable(cycle.error.message)} (${cycle.error.code})` : '';
  return `${cycle.state}${took}, ${countsText(cycle.counts)}${issues}${error}`;
}

export function cycleFacts(output: Output, cycle: CycleAnswer): string {
  const calls = Object.entries(cycle.vault_calls).map(([operation, number]) => `${number} ${operation}`);
  return facts(output, [
    ['cycle', cycle.id],
    ['backend', cycle.backend ?? cycle.backend_id],
    ['state', cycle.state],
    ['stage', cycle.stage],
    ['scope', cycle.scope],
    ['trigger', cycle.trigger],
    ['requested by', cycle.requested_by],
    ['replay of', cycle.replay_of],
    ['opened', cycle.opened_at],
    ['closed', cycle.closed_at],
    ['took', cycle.duration_ms === null ? null : duration(cycle.duration_ms)],
    ['shards', `${cycle.shards.total - cycle.shards.left} of ${cycle.shards.total} done`],
    ['counts', countsText(cycle.counts)],
    ['issues', cycle.issues],
    ['vault calls', calls.join(', ')],
    ['error', cycle.error && `${cycle.error.message} (${cycle.error.code})`],
  ]);
}

export function issueTable(output: Output, issues: readonly IssueAnswer[]): string {
  return table(
    output,
    ['SECRET', 'OUTCOME', 'CODE', 'MESSAGE'],
    issues.map(({ remote_path, outcome, code, message }) => [remote_path, outcome, code, message]),
  );
}
