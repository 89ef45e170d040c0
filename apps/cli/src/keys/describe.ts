import type { KeyAnswer } from '@keyferry/contracts';
import { relative } from '../output/format.ts';
import type { Output } from '../output/output.ts';
import { table } from '../output/table.ts';

export function keyTable(output: Output, keys: readonly KeyAnswer[]): string {
  const now = new Date();
  return table(
    output,
    ['KEY', 'STATE', 'TYPE', 'VERSION', 'BACKEND', 'CHANGED', 'EXPIRES'],
    keys.map((key) => [
      key.path,
      key.revoked ? `${key.state} (revoked)` : key.state,
      key.type,
      key.version,
      key.backend,
      relative(key.updated_at, now),
      relative(key.expires_at, now),
    ]),
  );
}
