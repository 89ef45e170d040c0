import type { PlanChangeAnswer, PlanSummaryAnswer } from '@keyferry/contracts';
import type { PlanWord } from '@keyferry/core';
import { countsText, plural } from '../output/format.ts';
import type { Output } from '../output/output.ts';
import { printable } from '../output/printable.ts';

type Style = Parameters<Output['style']>[0];

/** What stands before a line, as in a diff: `!` is for what a person should look at. */
const signs: Record<PlanWord, { sign: string; style: Style }> = {
  add: { sign: '+', style: 'green' },
  update: { sign: '~', style: 'yellow' },
  restore: { sign: '+', style: 'green' },
  expire: { sign: '-', style: 'red' },
  deprecate: { sign: '-', style: 'red' },
  rename: { sign: '~', style: 'yellow' },
  hold: { sign: '?', style: 'magenta' },
  missing: { sign: '?', style: 'magenta' },
  stay: { sign: '?', style: 'magenta' },
  keep: { sign: '=', style: 'dim' },
  invalid: { sign: '!', style: 'red' },
  warn: { sign: '!', style: 'yellow' },
  conflict: { sign: '!', style: 'red' },
  push: { sign: '>', style: 'green' },
  delete: { sign: '-', style: 'red' },
  skip: { sign: '=', style: 'dim' },
  fail: { sign: '!', style: 'red' },
};

/** What a line says before the reason. What is left out is said by the sign alone. */
const words: Partial<Record<PlanWord, string>> = {
  restore: 'restored',
  expire: 'expired',
  deprecate: 'deprecated',
  hold: 'held',
  missing: 'missing',
  stay: 'stays',
  keep: 'kept',
  invalid: 'invalid',
  warn: 'warning',
  conflict: 'in conflict',
  push: 'written to the vault',
  delete: 'deleted',
  skip: 'skipped',
  fail: 'unreadable',
};

/** `+ team/new`, `~ team/old  version 3 → 4`, `- team/gone  deprecated: The vault lacks it …` */
export function planLine(output: Output, change: PlanChangeAnswer): string {
  const { sign, style } = signs[change.change];
  const path = printable(change.path ?? change.remote_path);
  const told = [versions(change), newName(change), reason(change)].filter((part) => part !== '');
  return [output.style(style, `${sign} ${path}`), ...told].join('  ');
}

function versions({ from_version: from, to_version: to }: PlanChangeAnswer): string {
  return from === undefined || to === undefined ? '' : `version ${from} → ${to}`;
}

const newName = ({ new_path }: PlanChangeAnswer) => (new_path === undefined ? '' : `→ ${printable(new_path)}`);

function reason({ change, reason, code, class: failureClass }: PlanChangeAnswer): string {
  const word = words[change];
  if (word === undefined) return '';
  const names = [code, failureClass].filter((name) => name !== null);
  return `${word}: ${printable(reason)}${names.length > 0 ? ` (${names.join(', ')})` : ''}`;
}

/** The line below them all. */
export function summaryLine({ backend, counts, issues, would_hold }: PlanSummaryAnswer): string {
  const told = issues > 0 ? `, ${plural(issues, 'issue')}` : '';
  const held = would_hold ? '; the guard would hold keys back' : '';
  return `${backend}: nothing was done; a cycle would end with ${countsText(counts)}${told}${held}`;
}
