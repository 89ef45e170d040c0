import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { createProgram } from '../src/program.ts';

/** What pages tell people to type is there to be typed. */

const root = fileURLToPath(new URL('../../..', import.meta.url));
const pages = globSync(['README.md', 'SECURITY.md', 'docs/**/*.md'], { cwd: root });
const program = createProgram({ io: process, end: () => {} });

/** Lines of code, and code within lines, that begin with the command. */
function commandsOf(page: string): string[] {
  const text = readFileSync(join(root, page), 'utf8').replaceAll('\\|', '|');
  const blocks = [...text.matchAll(/```sh\n(.*?)```/gs)].flatMap(([, block = '']) =>
    block.replaceAll(/\\\n\s*/g, ' ').split('\n'),
  );
  const spans = [...text.replaceAll(/```.*?```/gs, '').matchAll(/`([^`\n]+)`/g)].map(([, span = '']) => span);
  return [...blocks, ...spans].flatMap((line) => /^(?:npx )?keyferry (\S.*)$/.exec(line)?.[1] ?? []);
}

/** What a line asks for that isn't there: a command, or an option of it. */
function lackingIn(line: string): string[] {
  // What `run` starts has options of its own.
  const [name = '', ...rest] = line.replace(/ -- .*$/, '').split(/\s+/);
  const command = program.commands.find((one) => one.name() === name);
  if (!command) return name.startsWith('-') ? [] : [name];
  if (command.commands.length === 0) return optionsLacking([command], rest);
  const names = (rest[0] ?? '').split('|');
  const found = command.commands.filter((one) => names.includes(one.name()));
  return [
    ...names.filter((one) => !found.some((other) => other.name() === one)).map((one) => `${name} ${one}`),
    ...optionsLacking(found, rest.slice(1)),
  ];
}

const optionsLacking = (commands: Command[], words: string[]): string[] =>
  words
    .flatMap((word) => /^--[a-z-]+/.exec(word) ?? [])
    .filter((option) => option !== '--help')
    .filter((option) => !commands.some(({ options }) => options.some(({ long }) => long === option)));

test.each(pages)('%s names only commands and options that exist', (page) => {
  expect(commandsOf(page).flatMap((line) => lackingIn(line).map((what) => `${what} (${line})`))).toEqual([]);
});

test('commands are found on the pages', () => {
  expect(pages.flatMap(commandsOf).length).toBeGreaterThan(100);
});
