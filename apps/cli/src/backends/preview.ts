import type { BackendPreview } from '@keyferry/contracts';
import { plural } from '../output/format.ts';
import type { Output } from '../output/output.ts';
import { table } from '../output/table.ts';

type Effect = Exclude<keyof BackendPreview, 'backend' | 'keys' | 'would_hold'>;

const words: Record<Effect, string> = {
  out_of_scope: 'left out, and so deprecated',
  renamed: 'get another path',
  missing: 'deprecated, being gone from the vault',
  archived_at_once: 'archived at once',
  archived_sooner: 'archived sooner',
  archived_later: 'archived later, or never',
  purged_at_once: 'purged at once: their values gone for good',
  purged_sooner: 'purged sooner',
  purged_later: 'purged later',
  overdue: 'overdue for rotation',
};
const effects = Object.keys(words) as Effect[];

/** Whether keys would go, or come to be found elsewhere. */
export function isLoss(preview: BackendPreview): boolean {
  const losses: Effect[] = ['out_of_scope', 'renamed', 'missing', 'archived_at_once', 'purged_at_once'];
  return losses.some((effect) => preview[effect].count > 0);
}

/** What a change of settings would do, in a table; the paths of some. */
export function previewText(output: Output, preview: BackendPreview): string {
  const rows = effects.flatMap((effect) => {
    const { count, paths } = preview[effect];
    return count === 0 ? [] : [[count, words[effect], somePaths(paths, count)]];
  });
  if (rows.length === 0) return `Nothing would change for the ${plural(preview.keys, 'key')} of ${preview.backend}.`;
  const held = preview.would_hold
    ? '\n\nSo many at once: the next cycle would hold them back until `keyferry held approve`.'
    : '';
  return `${table(output, ['KEYS', 'WOULD BE', 'SUCH AS'], rows)}${held}`;
}

function somePaths(paths: readonly string[], count: number): string {
  const shown = paths.slice(0, 3).join(', ');
  return count > 3 ? `${shown}, …` : shown;
}
