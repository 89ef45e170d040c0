import { readFileSync } from 'node:fs';
import type { ValidationRule } from '@keyferry/core';
import { expect, test } from 'vitest';
import { parseRules } from '../src/index.ts';

/** The worked example of docs/lifecycle.md. */

const page = readFileSync(new URL('../../../docs/lifecycle.md', import.meta.url), 'utf8');
const [, json = ''] = /```json\n(\{\s+"validation_rules".*?)```/s.exec(page) ?? [];
const written: Omit<ValidationRule, 'severity'>[] = JSON.parse(json).validation_rules;
const judge = parseRules(written.map((rule): ValidationRule => ({ severity: 'reject', ...rule })));

const rows = [...page.matchAll(/^\| `([^`]+)` \| `(\{[^`]+)` \| (refused|carried) \| (.+) \|$/gm)].map(
  ([, path = '', value = '', outcome = '', findings = '']) => ({
    path,
    value,
    outcome,
    findings: [...findings.matchAll(/`(\w+)`/g)].map(([, code]) => code),
  }),
);

test('the example has rows', () => {
  expect(rows).toHaveLength(7);
});

test.each(rows)('$value at $path is $outcome', ({ path, value, outcome, findings }) => {
  const { rejected, problems } = judge.judge(path, Buffer.from(value), undefined);
  expect(rejected ? 'refused' : 'carried').toBe(outcome);
  expect(problems.map(({ code }) => code)).toEqual(findings);
});
