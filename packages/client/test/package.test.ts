import { execFile } from 'node:child_process';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type SecretsApi, startSecretsApi } from '@keyferry/testing/support/secrets-api.ts';
import { temporaryFolder } from '@keyferry/testing/support/temporary-folder.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { clientCodes } from '../src/error.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const start = promisify(execFile);

const readme = 'packages/client/README.md';
const examples = ['docs/client.md', readme].flatMap((page) =>
  [...readFileSync(join(root, page), 'utf8').matchAll(/```ts\n(.*?)```/gs)].map(([, code = ''], index) => ({
    page,
    number: index + 1,
    code,
    file: `${page.replaceAll(/\W/g, '-')}-${index + 1}.ts`,
  })),
);

const tsconfig = {
  compilerOptions: {
    target: 'es2024',
    lib: ['es2024'],
    module: 'nodenext',
    strict: true,
    noEmit: true,
    skipLibCheck: false,
    types: ['node'],
    typeRoots: [join(root, 'node_modules/@types')],
  },
};

/** A project outside of the repository, with nothing but the packed package. */
let project: string;
let api: SecretsApi;
let rotation: NodeJS.Timeout;
const cleanup = new AsyncDisposableStack();

beforeAll(async () => {
  const temporary = temporaryFolder('package');
  cleanup.defer(temporary.remove);
  project = temporary.path;
  const built = join(project, 'built');
  await start(process.execPath, [join(root, 'packages/client/scripts/build.mjs'), built]);
  await start('npm', ['pack', built, '--pack-destination', project]);
  const [tarball = ''] = globSync('*.tgz', { cwd: project });
  write('package.json', JSON.stringify({ name: 'plain', private: true, type: 'module' }));
  await start('npm', ['install', '--offline', '--no-audit', '--no-fund', `./${tarball}`], { cwd: project });
  write('tsconfig.json', JSON.stringify({ ...tsconfig, include: ['*.ts', '*.cts'] }));
  for (const { file, code } of examples) write(file, code);

  api = cleanup.use(await startSecretsApi());
  api.put('bifrost/openai/production', 'sk-1');
  // Changes all the time, for who watches it.
  let version = 0;
  const rotate = () => api.put('bifrost/database', JSON.stringify({ user: 'u', password: `p-${version++}` }));
  rotate();
  rotation = setInterval(rotate, 100);
  cleanup.defer(() => clearInterval(rotation));
});

afterAll(() => cleanup.disposeAsync());

const write = (file: string, text: string) => writeFileSync(join(project, file), text);

const run = (file: string) =>
  start(process.execPath, [file], {
    cwd: project,
    env: { PATH: process.env.PATH, KEYFERRY_URL: api.url, KEYFERRY_TOKEN: api.token, REGION: 'eu' },
    timeout: 20_000,
  });

const use = `createClient({ url: process.env.KEYFERRY_URL ?? '', token: process.env.KEYFERRY_TOKEN ?? '' })
  .resolve('vault.bifrost/openai/production')
  .then((value) => console.log(value.length));\n`;

describe('the packed package', () => {
  test('needs nothing else, and holds no source or test', () => {
    const installed = join(project, 'node_modules/@keyferry/client');
    const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
    expect(manifest).toMatchObject({ name: '@keyferry/client', engines: { node: expect.any(String) } });
    expect(manifest).not.toHaveProperty('dependencies');
    const files = globSync('**/*', { cwd: installed });
    expect(files).toEqual(expect.arrayContaining(['README.md', 'LICENSE', 'index.js', 'index.d.ts']));
    for (const file of files) expect(file).toMatch(/^(README\.md|LICENSE|package\.json|[\w-]+\.(js|d\.ts))$/);
    const imports = files.filter((file) => /\.(js|d\.ts)$/.test(file)).flatMap((file) => importsOf(installed, file));
    expect(imports.length).toBeGreaterThan(10);
    for (const specifier of imports) expect(specifier).toMatch(/^\.\/[\w-]+\.js$/);
  });

  test('runs in plain JavaScript, and by require', async () => {
    write('plain.mjs', `import { createClient } from '@keyferry/client';\n${use}`);
    write('plain.cjs', `const { createClient } = require('@keyferry/client');\n${use}`);
    // Both end by themselves: what is read once holds no process up.
    expect(await run('plain.mjs')).toMatchObject({ stdout: '4\n', stderr: '' });
    expect((await run('plain.cjs')).stdout).toBe('4\n');
  });

  test('has types for projects of both kinds, and the examples keep to them', async () => {
    write('typed.ts', `import { createClient, type ClientOptions } from '@keyferry/client';\n${use}`);
    write('typed.cts', `import { createClient } from '@keyferry/client';\n${use}`);
    const compile = () => start(process.execPath, [join(root, 'node_modules/typescript/bin/tsc')], { cwd: project });
    await expect(compile()).resolves.toMatchObject({ stdout: '' });
    write('wrong.ts', `import { createClient } from '@keyferry/client';\ncreateClient({ url: 1 });\n`);
    await expect(compile()).rejects.toMatchObject({ stdout: expect.stringContaining('wrong.ts(2,') });
  });
});

const importsOf = (folder: string, file: string) =>
  [...readFileSync(join(folder, file), 'utf8').matchAll(/\bfrom '([^']+)'|\bimport\('([^']+)'\)/g)].map(
    ([, from, called]) => from ?? called,
  );

test('there are examples', () => {
  expect(examples).toHaveLength(4);
});

test.each(examples)('$page, example $number, runs', async ({ file, code }) => {
  const { stdout, stderr } = await run(file);
  expect(stderr).toBe('');
  if (code.includes('failures')) expect(stdout).toContain('bad[0]: vault.not/there (key_not_found)');
});

test('the README lists the client’s own codes, with what to do, and no other', () => {
  const rows = [...readFileSync(join(root, readme), 'utf8').matchAll(/^\| `(\w+)` \| (.+\.) \|$/gm)];
  expect(Object.fromEntries(rows.map(([, code, action]) => [code, action]))).toEqual(clientCodes);
});
