import { readFile } from 'node:fs/promises';
import { KeyferryError } from '@keyferry/core';
import type { Io } from '../output/output.ts';
import { type InputReader, readSecret } from '../read-secret.ts';

type Members = Record<string, unknown>;

/**
 * What `--set` says, laid over the members there are: `name=text`, `name=@file` for a file's text, `name=-` for a secret
 * that is asked for, `name:=json` for anything else. Dots in a name lead into objects. Throws `usage_invalid`.
 */
export async function setMembers(
  io: Io,
  input: InputReader,
  members: Members,
  entries: readonly string[],
): Promise<Members> {
  let result = members;
  for (const entry of entries) {
    const [, name = '', json, text = ''] = /^([a-z_]+(?:\.[a-z_]+)*)(:?)=(.*)$/s.exec(entry) ?? [];
    if (name === '')
      throw new KeyferryError('usage_invalid', `--set "${shown(entry)}" is not <member>=<text> or <member>:=<json>.`);
    const value = json ? parseJson(name, text) : await textOf(io, input, name, text);
    result = placed(result, name.split('.'), value);
  }
  return result;
}

async function textOf(io: Io, input: InputReader, name: string, text: string): Promise<string> {
  if (text.startsWith('@')) return await readText(text.slice(1));
  return await readSecret(io, input, text, name);
}

function parseJson(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new KeyferryError('usage_invalid', `--set ${name}:= is not followed by JSON.`);
  }
}

function placed(members: Members, [name = '', ...rest]: string[], value: unknown): Members {
  if (rest.length === 0) return { ...members, [name]: value };
  const inner = members[name];
  const object = typeof inner === 'object' && inner !== null && !Array.isArray(inner) ? { ...inner } : {};
  return { ...members, [name]: placed(object, rest, value) };
}

/** What stands after the first sign may be a secret. */
const shown = (entry: string) => entry.replace(/=.*$/s, '=…');

export async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    throw new KeyferryError('usage_invalid', `The file ${file} can't be read (${code}).`);
  }
}
