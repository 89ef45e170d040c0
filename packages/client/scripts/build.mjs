// Makes the package as it is published, in `dist` or the folder that is given: plain JavaScript and its types, with a
// package.json of its own, since what the workspace uses is the TypeScript itself. `npm pack ./dist` packs it.

import { spawnSync } from 'node:child_process';
import { copyFileSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const home = fileURLToPath(new URL('..', import.meta.url));
const root = fileURLToPath(new URL('../../..', import.meta.url));
const folder = process.argv[2] === undefined ? join(home, 'dist') : resolve(process.argv[2]);

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const tsc = join(root, 'node_modules/typescript/bin/tsc');
const compiled = spawnSync(process.execPath, [tsc, '-p', join(home, 'tsconfig.build.json'), '--outDir', folder], {
  stdio: 'inherit',
});
if (compiled.status !== 0) process.exit(compiled.status ?? 1);

// The compiler rewrites what JavaScript imports, and leaves declarations as they are.
for (const file of globSync('*.d.ts', { cwd: folder })) {
  const declarations = readFileSync(join(folder, file), 'utf8');
  writeFileSync(join(folder, file), declarations.replace(/(from '\.\/[\w-]+)\.ts'/g, "$1.js'"));
}

const { name, version, description, license, type } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'));
const manifest = {
  ...{ name, version, description, license, type },
  engines: { node: '>=22.12' },
  exports: { '.': { types: './index.d.ts', default: './index.js' }, './package.json': './package.json' },
  types: './index.d.ts',
  sideEffects: false,
};
writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
copyFileSync(join(home, 'README.md'), join(folder, 'README.md'));
copyFileSync(join(root, 'LICENSE'), join(folder, 'LICENSE'));
