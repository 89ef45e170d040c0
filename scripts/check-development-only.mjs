// The part of the direction check that `turbo boundaries` has no rule for: it makes no difference between dependencies
// and devDependencies, so that code which ships could use what is there for tests alone. Run at the workspace root.

import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Stand-ins and embedded servers: what ships without them must not need them. */
const developmentOnly = ['@keyferry/embedded', '@keyferry/emulators', '@keyferry/testing'];
/** `keyferry up` starts them; tests are made of them. */
const mayNeedThem = ['apps/cli', 'test'];
/** What a package ships. Its tests lie beside these folders. */
const shipped = ['src', 'bin'];

const { devDependencies: ofRoot } = readPackage('.');
const problems = globSync(['apps/*', 'packages/*', 'test'])
  .filter((folder) => existsSync(join(folder, 'package.json')))
  .sort()
  .flatMap((folder) => [...declaredProblems(folder), ...importProblems(folder)]);
for (const problem of problems) process.stderr.write(`${problem}\n`);
process.exitCode = problems.length > 0 ? 1 : 0;

/** @param {string} folder */
function declaredProblems(folder) {
  if (mayNeedThem.includes(folder)) return [];
  return Object.keys(readPackage(folder).dependencies ?? {})
    .filter((name) => developmentOnly.includes(name))
    .map((name) => `${folder}/package.json: ${name} can only be one of its devDependencies`);
}

/** @param {string} folder */
function importProblems(folder) {
  const { dependencies = {}, devDependencies = {} } = readPackage(folder);
  const forDevelopment = [...developmentOnly, ...Object.keys({ ...ofRoot, ...devDependencies })].filter(
    (name) => !(name in dependencies),
  );
  return globSync(shipped.map((part) => `${folder}/${part}/**/*.{ts,mjs}`))
    .sort()
    .flatMap((file) =>
      importsOf(file)
        .filter((specifier) => forDevelopment.some((name) => specifier === name || specifier.startsWith(`${name}/`)))
        .map((specifier) => `${file}: imports ${specifier}, which is there for development alone`),
    );
}

/** @param {string} file */
function importsOf(file) {
  const code = readFileSync(file, 'utf8');
  return [...code.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*['"]([^'"./][^'"]*)['"]/g)].map((match) => String(match[1]));
}

/**
 * @param {string} folder
 * @returns {{ dependencies?: Record<string, string>, devDependencies?: Record<string, string> }}
 */
function readPackage(folder) {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
}
