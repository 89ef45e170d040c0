import type { BackendAnswer, CycleAnswer, IssueAnswer, KeyAnswer } from '@keyferry/contracts';
import type { ApiClient } from '../api/client.ts';
import { readPages } from '../api/pages.ts';
import { route } from '../api/route.ts';
import { cycleLine, issueTable } from '../cycles/describe.ts';
import type { Home } from '../home.ts';
import { keyTable } from '../keys/describe.ts';
import type { Output } from '../output/output.ts';

const mostKeys = 30;
const mostIssues = 20;

/** What the first cycle has done: the answer of `keyferry up`. */
export async function showReport(
  api: ApiClient,
  output: Output,
  { backend, cycle }: { backend: BackendAnswer; cycle: CycleAnswer },
): Promise<void> {
  const keys = await readPages<KeyAnswer>(api, '/keys', mostKeys, { backend: backend.id });
  const issues = await readPages<IssueAnswer>(api, route`/federation/cycles/${cycle.id}/issues`, mostIssues);
  output.answer({ url: api.url, backend, cycle, keys, issues }, () => {
    const done = output.style(cycle.state === 'completed' ? 'green' : 'red', `${backend.name}: ${cycleLine(cycle)}`);
    const parts = [done];
    if (keys.items.length > 0) parts.push(keyTable(output, keys.items));
    if (keys.next_cursor !== null) parts.push('and more: `keyferry keys list --limit 1000`');
    if (issues.items.length > 0) parts.push(issueTable(output, issues.items));
    if (issues.next_cursor !== null) parts.push(`and more: \`keyferry cycles show ${cycle.id}\``);
    return `\n${parts.join('\n\n')}\n`;
  });
}

/** How to go on from here, for whoever sees this for the first time. */
export function showNextSteps(output: Output, api: ApiClient, home: Home, demo: boolean): void {
  const changing = [
    'npx keyferry demo put demo/openai/production sk-new  change a key in the demo vault',
    'npx keyferry demo delete demo/openai/staging         delete one; `demo restore` brings it back',
    'npx keyferry sync demo --wait                        don’t wait for the next cycle',
  ];
  const looking = [
    'npx keyferry backend list                            how the backends are doing',
    'npx keyferry keys list                               the keys, without their values',
    'npx keyferry --help                                  everything else',
  ];
  output.note(
    [
      `The API is at ${api.url}, its token in ${home.apiToken}, logs in ${home.logs}.`,
      '',
      'In another terminal:',
      ...[...(demo ? changing : []), ...looking].map((line) => `  ${line}`),
      '',
      'Events as they happen, until Ctrl-C:',
    ].join('\n'),
  );
}
