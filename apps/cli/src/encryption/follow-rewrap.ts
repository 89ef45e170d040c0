import type { RewrapLine } from '@keyferry/contracts';
import { KeyferryError } from '@keyferry/core';
import type { ApiClient } from '../api/client.ts';
import { plural } from '../output/format.ts';
import type { Output } from '../output/output.ts';

/** Millions of values are sealed anew in minutes, and all tenants' may take a night. */
const deadlineMs = 24 * 3_600_000;

/** Shows a rewrap as it goes on. Rejects as the API refuses it, or with `api_unavailable` if it breaks off. */
export async function followRewrap(api: ApiClient, output: Output): Promise<void> {
  let ended = false;
  for await (const line of api.lines<RewrapLine>('/encryption/rewrap', { body: {}, withinMs: deadlineMs })) {
    ended = 'summary' in line;
    output.answer(line, () => textOf(line));
  }
  if (!ended)
    throw new KeyferryError(
      'api_unavailable',
      'The rewrap broke off before its end. What was done stays done: the same command goes on with the rest.',
    );
}

function textOf(line: RewrapLine): string {
  const { wrapped, resealed, failed, destroyed, retired } = 'summary' in line ? line.summary : line;
  const told = [
    `${plural(wrapped, 'data key')} wrapped anew`,
    `${plural(resealed, 'value')} sealed anew`,
    ...('summary' in line || line.left === 0 ? [] : [`${line.left} left`]),
    ...(failed > 0 ? [`${failed} can’t be opened`] : []),
    ...(destroyed > 0 ? [`${plural(destroyed, 'data key')} destroyed`] : []),
    ...(retired > 0 ? [`${plural(retired, 'retired data key')} kept for now`] : []),
  ].join(', ');
  return 'summary' in line ? `\n${plural(line.summary.tenants, 'tenant')}: ${told}` : `${line.tenant_id}  ${told}`;
}
