import type { PlanLine } from '@keyferry/contracts';
import { KeyferryError } from '@keyferry/core';
import type { ApiClient } from '../api/client.ts';
import { route } from '../api/route.ts';
import type { Output } from '../output/output.ts';
import { planLine, summaryLine } from './plan-line.ts';

/** Shows a plan as it is made. Rejects as the API refuses it, or with `api_unavailable` if it breaks off. */
export async function followPlan(api: ApiClient, backend: string, output: Output): Promise<void> {
  let ended = false;
  for await (const line of api.lines<PlanLine>(route`/federation/backends/${backend}/plan`)) {
    ended = 'summary' in line;
    output.answer(line, () => ('summary' in line ? `\n${summaryLine(line.summary)}` : planLine(output, line)));
  }
  if (!ended) throw new KeyferryError('api_unavailable', `The plan of "${backend}" broke off before its end.`);
}
