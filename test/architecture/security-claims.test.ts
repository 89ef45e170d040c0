import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const page = readFileSync(`${root}/docs/security.md`, 'utf8');

/** Rows of tables whose last column names the test that shows what they claim. */
const claims = page
  .split('\n')
  .filter((line) => line.startsWith('| ') && !/^\| (claim|what) \|/.test(line))
  .map((line) => {
    const cells = line.slice(2, -2).split(' | ');
    return { claim: cells[0] as string, shownBy: cells.at(-1) as string };
  });

test('there are claims for each attacker that the page names', () => {
  const sections = page.split(/^## With /m).slice(1);
  expect(sections.length).toBeGreaterThanOrEqual(6);
  for (const section of sections) expect(section).toMatch(/^\| .+ \| `.+\.ts`: .+ \|$/m);
});

test.each(claims)('"$claim" names tests that are there', ({ shownBy }) => {
  const named = [...shownBy.matchAll(/`([^`]+\.ts)`: “([^”]+)”/g)];
  expect(named.length).toBeGreaterThan(0);
  for (const [, file = '', title = ''] of named) {
    expect([file, existsSync(`${root}/${file}`)]).toEqual([file, true]);
    const source = readFileSync(`${root}/${file}`, 'utf8');
    const tests = [...source.matchAll(/\b(?:test|it|describe)(?:\.each\b[\s\S]*?\))?\(\s*(['"`])(.*?)\1,/g)];
    expect(tests.map(([, , text]) => text)).toContain(title);
  }
});
