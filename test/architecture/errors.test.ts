import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { errorCatalogue, failureClasses } from '@keyferry/core';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string) => readFileSync(`${root}/${file}`, 'utf8');

test('docs/errors.md lists every code of the catalogue once, with its action, and no other', () => {
  const rows = [...read('docs/errors.md').matchAll(/^\| `(\w+)` \| .+? \| (.+) \|$/gm)];
  const listed = rows.map(([, code, action]) => ({ code, action }));
  const catalogue = Object.entries(errorCatalogue).map(([code, action]) => ({ code, action }));
  const byCode = (one: { code?: string | undefined }, other: { code?: string | undefined }) =>
    String(one.code).localeCompare(String(other.code));
  expect(listed.sort(byCode)).toEqual(catalogue.sort(byCode));
});

test('every code is given somewhere', () => {
  const sources = globSync(['packages/*/src/**/*.ts', 'apps/*/src/**/*.ts'], { cwd: root }).filter(
    (file) => file !== 'packages/core/src/errors.ts',
  );
  const code = sources.map(read).join('\n');
  // Routes and their statuses name codes that others give: naming one there is no use of it.
  const outsideOfHttp = sources
    .filter((file) => !file.startsWith('apps/api/'))
    .map(read)
    .join('\n');
  const byClass = failureClasses.map((failureClass) => `vault_${failureClass}`);
  const unused = Object.keys(errorCatalogue).filter(
    (name) =>
      !byClass.includes(name) &&
      !new RegExp(`KeyferryError\\(\\s*'${name}'`).test(code) &&
      !outsideOfHttp.includes(`'${name}'`),
  );
  expect(unused).toEqual([]);
});

test('an action is a sentence or more', () => {
  for (const action of Object.values(errorCatalogue)) expect(action).toMatch(/^[A-Z].*\.$/);
});
