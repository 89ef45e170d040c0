import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { KeyferryError } from '@keyferry/core';

/** As long as a token at least is, so that it can't be guessed by trying. */
const leastLength = 16;

export interface TokenSource {
  text: string | undefined;
  file: string | undefined;
}

/**
 * A bearer token, given as text or in a file. A file that isn't there is made, with a new token that its owner alone can
 * read. `variable` is where a text is from. Throws `config_invalid`.
 */
export async function loadToken(
  source: TokenSource,
  variable: 'KEYFERRY_API_TOKEN' | 'KEYFERRY_REVOKE_TOKEN',
): Promise<{ token: string; made: boolean }> {
  if (source.text) return { token: checked(source.text, variable), made: false };
  const file = source.file ?? '';
  const known = await read(file);
  if (known !== null) return { token: checked(known, file), made: false };
  const token = randomBytes(32).toString('base64url');
  try {
    await mkdir(dirname(file), { recursive: true });
    // 'wx': another process may have made it meanwhile, and its token is the one.
    await writeFile(file, `${token}\n`, { mode: 0o600, flag: 'wx' });
  } catch {
    const theirs = await read(file);
    if (theirs === null) throw new KeyferryError('config_invalid', `The token file ${file} can't be written.`);
    return { token: checked(theirs, file), made: false };
  }
  return { token, made: true };
}

async function read(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new KeyferryError('config_invalid', `The token file ${file} can't be read.`);
  }
}

function checked(text: string, where: string): string {
  const token = text.trim();
  if (!/^[\x21-\x7e]+$/.test(token) || token.length < leastLength)
    throw new KeyferryError(
      'config_invalid',
      `The token in ${where} is not ${leastLength} or more characters of ASCII without spaces.`,
    );
  return token;
}
