import type { Explanation, KeyAnswer, KeyDetails, KeyVersions } from '@keyferry/contracts';
import { relative } from '../output/format.ts';
import type { Output } from '../output/output.ts';
import { printable } from '../output/printable.ts';
import { type Cell, facts, table } from '../output/table.ts';

export function keyTable(output: Output, keys: readonly KeyAnswer[]): string {
  const now = new Date();
  return table(
    output,
    ['KEY', 'STATE', 'TYPE', 'VERSION', 'BACKEND', 'CHANGED', 'EXPIRES'],
    keys.map((key) => [
      key.path,
      stateText(key, now),
      key.type,
      key.version,
      key.backend,
      relative(key.updated_at, now),
      relative(key.expires_at, now),
    ]),
  );
}

/** `active (INVALID, rolled back)` */
function stateText(key: KeyAnswer, now: Date): string {
  const overdue = key.rotation_due_at !== null && new Date(key.rotation_due_at) <= now;
  const marks = [
    ...(key.revoked ? ['revoked'] : []),
    ...(key.validation.status === 'invalid' ? ['INVALID'] : []),
    ...(overdue ? ['overdue'] : []),
    ...(key.rolled_back ? ['rolled back'] : []),
    ...(key.kept ? ['kept'] : []),
  ];
  return marks.length > 0 ? `${key.state} (${marks.join(', ')})` : key.state;
}

export function keyFacts(output: Output, { metadata, credentials_of, validation, ...rest }: KeyDetails): string {
  const tags = Object.entries(metadata).map(([name, value]) => `${name}=${value}`);
  const problems = validation.problems.map(({ code, message }) => `${message} (${code})`);
  return facts(output, [
    ...Object.entries(rest).map(([name, value]): [string, Cell] => [
      name.replaceAll('_', ' '),
      typeof value === 'boolean' ? (value ? 'yes' : 'no') : value,
    ]),
    ['validation', [validation.status, ...problems].join(': ')],
    ['metadata', tags.join(', ')],
    ['credentials of', credentials_of.join(', ')],
  ]);
}

export function versionTable(output: Output, { items }: KeyVersions): string {
  const now = new Date();
  return table(
    output,
    ['VERSION', '', 'FROM', 'CREATED', 'IN THE VAULT', 'VAULT’S VERSION', 'READABLE UNTIL'],
    items.map((item) => [
      item.version,
      item.current ? 'current' : null,
      item.source,
      relative(item.created_at, now),
      relative(item.remote_created_at, now),
      item.remote_version,
      relative(item.readable_until, now),
    ]),
  );
}

/** The sentences, then what happened, the newest first. */
export function explanationText(output: Output, { sentences, story }: Explanation): string {
  const told = sentences.map(printable).join('\n');
  if (story.length === 0) return told;
  const rows = story.map((change) => [
    change.at,
    change.change.replaceAll('_', ' '),
    change.from === change.to ? change.to : `${change.from ?? ''} → ${change.to ?? 'gone'}`,
    change.version,
    change.actor ?? (change.cycle ? `cycle ${change.cycle.id}` : 'time'),
    change.reason,
  ]);
  return `${told}\n\n${table(output, ['AT', 'WHAT', 'STATE', 'VERSION', 'BY', 'WHY'], rows)}`;
}
