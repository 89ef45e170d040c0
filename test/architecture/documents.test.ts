import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { backendInput } from '@keyferry/contracts';
import { eventTypes, severities, severityOf } from '@keyferry/core';
import { builtInVaults, vaultOfKind } from '@keyferry/vaults';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const pages = globSync(['*.md', 'docs/**/*.md', 'packages/*/README.md'], { cwd: root });
const read = (page: string) => readFileSync(join(root, page), 'utf8');

const examples = globSync('docs/backends/*.md', { cwd: root }).flatMap((page) =>
  [...read(page).matchAll(/```json\n(.*?)```/gs)].map(([, json], index) => ({
    page,
    kind: page.slice('docs/backends/'.length, -'.md'.length),
    number: index + 1,
    json: String(json),
  })),
);

test.each(examples)('$page, example $number, is a configuration that is accepted', ({ kind, json }) => {
  const example = JSON.parse(json);
  const schema = 'kind' in example ? backendInput(builtInVaults) : vaultOfKind(builtInVaults, kind).configSchema;
  expect(schema.safeParse(example)).toMatchObject({ success: true });
  // What the API checks apart, once references are resolved.
  const config = 'kind' in example ? example.config : example;
  expect(vaultOfKind(builtInVaults, kind).configSchema.safeParse(config)).toMatchObject({ success: true });
});

test('every vault has a page with examples', () => {
  for (const { kind } of builtInVaults) expect(examples.some((example) => example.kind === kind)).toBe(true);
});

test.each(pages)('%s links to files that are there', (page) => {
  const links = [...read(page).matchAll(/\]\((?!https?:|#|mailto:)([^)#]+)[^)]*\)/g)].map(([, target]) =>
    String(target),
  );
  for (const target of links) expect([target, existsSync(join(root, dirname(page), target))]).toEqual([target, true]);
});

test.each(pages)('%s names only npm scripts that exist', (page) => {
  const { scripts } = JSON.parse(read('package.json'));
  const named = [...read(page).matchAll(/\bnpm (?:run ([\w:]+)|(start|test)\b)/g)].map(
    ([, run, short]) => run ?? short,
  );
  for (const name of named) expect(scripts).toHaveProperty([String(name)]);
});

test('docs/notifications.md lists every event by its severity, and no other', () => {
  const page = read('docs/notifications.md');
  for (const severity of severities) {
    const [, listed = ''] = new RegExp(`^\\| ${severity} \\| (.+) \\|$`, 'm').exec(page) ?? [];
    const types = [...listed.matchAll(/`([^`]+)`/g)].map(([, type]) => type);
    expect(types.sort()).toEqual(eventTypes.filter((type) => severityOf(type) === severity).sort());
  }
});
