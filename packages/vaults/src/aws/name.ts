import { type KeyferryError, vaultFailure } from '@keyferry/core';

/** What Amazon takes for a name. Secrets that its own services manage have an exclamation mark in it. */
const name = /^[A-Za-z0-9/_+=.@!-]{1,512}$/;

/** Whether a path is a name that can be asked for. ARNs are none: their colon is no character of a name. */
export function isName(path: string): boolean {
  return name.test(path);
}

/** The failure of a path that is no name. `what` goes after "Could not". */
export function nameless(what: string): KeyferryError {
  const grammar = '1 to 512 ASCII letters, digits and any of /_+=.@-';
  return vaultFailure('invalid', `Could not ${what}: the name of a secret of AWS has ${grammar}.`);
}

/** Throws unless the path is a name. */
export function checkName(path: string, what: string): void {
  if (!isName(path)) throw nameless(what);
}

/** Throws unless the path is a name that a secret can be given: that mark is for Amazon's own services. */
export function checkNewName(path: string, what: string): void {
  checkName(path, what);
  if (path.includes('!'))
    throw vaultFailure('invalid', `Could not ${what}: names with an exclamation mark are of secrets that AWS manages.`);
}

/** What an ARN of a secret says, or null if it is none. */
export function partsOfArn(arn: unknown): { account: string; region: string; name: string } | null {
  if (typeof arn !== 'string') return null;
  const parts = /^arn:aws[a-z-]*:secretsmanager:([a-z0-9-]+):(\d{12}):secret:(.+)-[A-Za-z0-9]{6}$/.exec(arn);
  const [, region = '', account = '', secret = ''] = parts ?? [];
  return parts === null ? null : { account, region, name: secret };
}
