import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string) => readFileSync(`${root}/${file}`, 'utf8');
const variable = /\b(?:KEYFERRY|VAULT|DATABASE|REDIS)_[A-Z_]*[A-Z]\b|\bNO_COLOR\b/g;
const sorted = (names: Iterable<string>) => [...new Set(names)].sort();

/** The first column of the tables under a heading. */
function documented(file: string, heading: string): string[] {
  const section =
    read(file)
      .split(/^#+ /m)
      .find((part) => part.startsWith(`${heading}\n`)) ?? '';
  return sorted([...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => String(name)));
}

/** Every variable that the files name, but for those that they set for a process of ours. */
function named(patterns: string[]): string[] {
  const lines = globSync(patterns, { cwd: root }).flatMap((file) => read(file).split('\n'));
  const names = lines.flatMap((line) => {
    const reading = line.includes('} = env') ? line : line.replace(/\b[A-Z_]+: /g, '');
    return reading.match(variable) ?? [];
  });
  return sorted(names.filter((name) => name !== 'KEYFERRY_DEMO_VAULT_TOKEN'));
}

test.each([
  ['docs/operations.md', 'scheduler', ['apps/scheduler/src/**/*.ts']],
  ['docs/operations.md', 'worker', ['apps/worker/src/**/*.ts', 'packages/core/src/environment.ts']],
  ['docs/operations.md', 'api', ['apps/api/src/**/*.ts', 'packages/core/src/environment.ts']],
  ['docs/operations.md', 'variables of the master key', ['packages/core/src/master-key-variables.ts']],
  ['docs/operations.md', 'keyferry', ['apps/cli/src/**/*.ts', 'packages/embedded/src/**/*.ts']],
  [
    'docs/testing.md',
    'Environment',
    [
      'test/support/global-setup.ts',
      'test/support/test-postgres.ts',
      'vitest.config.ts',
      'packages/embedded/src/**/*.ts',
    ],
  ],
])('%s, %s, lists the variables that are read, and no others', (file, heading, sources) => {
  const names = named(sources).filter(
    (name) => heading !== 'Environment' || !['DATABASE_URL', 'REDIS_URL'].includes(name),
  );
  expect(documented(file, heading)).toEqual(names);
});
