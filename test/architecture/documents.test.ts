import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { backendInput, backendPatch } from '@keyferry/contracts';
import { eventTypes, severities, severityOf } from '@keyferry/core';
import { builtInVaults, vaultOfKind } from '@keyferry/vaults';
import { describe, expect, test } from 'vitest';

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

describe('runbooks', () => {
  const alarming = eventTypes.filter((type) => severityOf(type) !== 'info');

  test('are there for every event that is critical or a warning, and for no other', () => {
    const written = globSync('docs/runbooks/*.md', { cwd: root }).map((page) => basename(page, '.md'));
    expect(written.sort()).toEqual([...alarming, 'README'].sort());
  });

  test('are all listed in their index, by severity', () => {
    const rows = [...read('docs/runbooks/README.md').matchAll(/^\| \[`([^`]+)`\]\((\S+)\) \| (\w+) \|/gm)];
    const listed = rows.map(([, type, page, severity]) => [type, page, severity]);
    expect(listed.sort()).toEqual(alarming.map((type) => [type, `${type}.md`, severityOf(type)]).sort());
  });

  test.each(alarming)('that of %s says what an alarmed person asks, in forty lines', (type) => {
    const page = read(`docs/runbooks/${type}.md`);
    expect(page.trimEnd().split('\n').length).toBeLessThanOrEqual(40);
    expect(page).toContain(`# ${type}\n`);
    expect(page).toContain(`| severity | ${severityOf(type)} |`);
    for (const part of [
      '| is anything down? |',
      '| how urgent |',
      '| ends by itself |',
      '## Look at',
      '## Do',
      '## Don',
    ])
      expect(page).toContain(part);
  });
});

test('docs/lifecycle.md has rules that are accepted, and names every event of keys', () => {
  const page = read('docs/lifecycle.md');
  const rules = [...page.matchAll(/```json\n(.*?)```/gs)].map(([, json]) => JSON.parse(String(json)));
  expect(rules).toHaveLength(2);
  for (const settings of rules) expect(backendPatch.safeParse(settings)).toMatchObject({ success: true });
  const named = new Set([...page.matchAll(/`(keys\.\w+)`/g)].map(([, type]) => type));
  expect([...named].sort()).toEqual(eventTypes.filter((type) => type.startsWith('keys.')).sort());
});
