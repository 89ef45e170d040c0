import { spawnSync } from 'node:child_process';
import { copyFileSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryFolder } from '../support/temporary-folder.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const packages = globSync(['apps/*/package.json', 'packages/*/package.json', 'test/package.json'], { cwd: root }).map(
  (file) => dirname(file),
);

interface Structure {
  /** Writes a file of the copy. */
  write(path: string, code: string): void;
  /** Names something in a package's dependencies or devDependencies. */
  declare(folder: string, kind: 'dependencies' | 'devDependencies', name: string): void;
  /** What `npm run structure` runs, in the copy. */
  check(): { passes: boolean; output: string };
}

/** The house with its packages, their rules and what they declare, but with one empty source file in each. */
function copyOfStructure(): Structure {
  const folder = temporaryFolder('structure');
  onTestFinished(folder.remove);
  const write = (path: string, code: string) => {
    mkdirSync(dirname(join(folder.path, path)), { recursive: true });
    writeFileSync(join(folder.path, path), code);
  };
  const rules = packages.flatMap((name) => [`${name}/package.json`, `${name}/turbo.json`]);
  for (const file of ['package.json', 'package-lock.json', 'turbo.json', ...rules]) {
    mkdirSync(dirname(join(folder.path, file)), { recursive: true });
    copyFileSync(join(root, file), join(folder.path, file));
  }
  for (const name of packages) write(`${name}/src/index.ts`, 'export const here = true;\n');
  return {
    write,
    declare(name, kind, dependency) {
      const path = `${name}/package.json`;
      const manifest = JSON.parse(readFileSync(join(folder.path, path), 'utf8'));
      write(path, JSON.stringify({ ...manifest, [kind]: { ...manifest[kind], [dependency]: '*' } }));
    },
    check() {
      const run = (file: string, args: string[]) =>
        spawnSync(file, args, {
          cwd: folder.path,
          encoding: 'utf8',
          env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1', NO_COLOR: '1' },
        });
      const results = [
        run(join(root, 'node_modules/.bin/turbo'), ['boundaries']),
        run(process.execPath, [join(root, 'scripts/check-development-only.mjs')]),
      ];
      // turbo breaks its lines wherever they get long.
      const output = results
        .map(({ stdout, stderr }) => `${stdout}${stderr}`.replace(/\s*\n\s*\|?\s*/g, ' '))
        .join('\n');
      return { passes: results.every(({ status }) => status === 0), output };
    },
  };
}

test('the house as it is passes', () => {
  expect(copyOfStructure().check()).toMatchObject({ passes: true });
});

test('every package has exactly one tag, and the rules know it', () => {
  const { boundaries } = JSON.parse(readFileSync(join(root, 'turbo.json'), 'utf8'));
  for (const name of packages) {
    const { tags } = JSON.parse(readFileSync(join(root, name, 'turbo.json'), 'utf8'));
    expect([name, tags.length, Object.keys(boundaries.tags)]).toEqual([name, 1, expect.arrayContaining(tags)]);
  }
});

test('an import that package.json does not declare fails', () => {
  const structure = copyOfStructure();
  structure.write('packages/store/src/shortcut.ts', `import { queues } from '@keyferry/queue';\nexport { queues };\n`);
  const { passes, output } = structure.check();
  expect(passes).toBe(false);
  expect(output).toContain('cannot import package `@keyferry/queue`');
});

test('a relative import out of a package fails', () => {
  const structure = copyOfStructure();
  structure.write('packages/store/src/shortcut.ts', `export { here } from '../../queue/src/index.ts';\n`);
  const { passes, output } = structure.check();
  expect(passes).toBe(false);
  expect(output).toContain('leaves the package');
});

test.each([
  ['packages/core', '@keyferry/telemetry', 'core imports nothing'],
  ['packages/telemetry', '@keyferry/core', 'telemetry imports nothing'],
  ['packages/contracts', '@keyferry/store', 'contracts are below the store'],
  ['packages/store', '@keyferry/queue', 'services do not know each other'],
  ['packages/vaults', '@keyferry/connections', 'a vault is below its connections'],
  ['packages/connections', '@keyferry/pipeline', 'connections are below the pipeline'],
  ['packages/pipeline', '@keyferry/events', 'features do not know each other'],
  ['apps/worker', '@keyferry/scheduler', 'apps never import each other'],
  ['test', '@keyferry/worker', 'tests start apps as people do'],
])('a declared import against the direction fails: %s -> %s, since %s', (folder, name) => {
  const structure = copyOfStructure();
  structure.declare(folder, 'dependencies', name);
  structure.write(`${folder}/src/shortcut.ts`, `export { here } from '${name}';\n`);
  const { passes, output } = structure.check();
  expect(passes).toBe(false);
  expect(output).toMatch(/found without any tag listed in allowlist|Circular package dependency/);
});

test('code that ships does not depend on stand-ins of vaults', () => {
  const structure = copyOfStructure();
  structure.declare('packages/pipeline', 'dependencies', '@keyferry/emulators');
  expect(structure.check().output).toContain(
    'packages/pipeline/package.json: @keyferry/emulators can only be one of its devDependencies',
  );
});

test('code that ships does not import what is there for its tests', () => {
  const structure = copyOfStructure();
  structure.declare('packages/vaults', 'devDependencies', '@keyferry/emulators');
  structure.write('packages/vaults/test/some.test.ts', `import '@keyferry/emulators';\nimport '@keyferry/testing';\n`);
  expect(structure.check()).toMatchObject({ passes: true });
  structure.write('packages/vaults/src/shortcut.ts', `import { here } from '@keyferry/emulators';\nexport { here };\n`);
  structure.write('packages/vaults/src/other.ts', `export const load = () => import('vitest');\n`);
  structure.write(
    'packages/vaults/src/third.ts',
    `import type { a } from '@keyferry/testing/support/a.ts';\nexport type b = a;\n`,
  );
  const { passes, output } = structure.check();
  expect(passes).toBe(false);
  expect(output).toContain('packages/vaults/src/shortcut.ts: imports @keyferry/emulators');
  expect(output).toContain('packages/vaults/src/other.ts: imports vitest');
  expect(output).toContain('packages/vaults/src/third.ts: imports @keyferry/testing');
});
