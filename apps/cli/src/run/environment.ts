import { parseEnv } from 'node:util';
import { type KeyferryClient, KeyferryClientError } from '@keyferry/client';
import { KeyferryError } from '@keyferry/core';

type Environment = Record<string, string>;

/** An environment with what a file of variables adds to it, as `node --env-file` does: what is set already stays. */
export function withFile(env: NodeJS.ProcessEnv, text: string): NodeJS.ProcessEnv {
  return { ...parseEnv(text), ...env };
}

/** The variables that are references, all or of those that are named. Throws `usage_invalid` for a name that isn't set. */
export function referencesIn(env: NodeJS.ProcessEnv, only: readonly string[] | undefined): Environment {
  const missing = only?.find((name) => env[name] === undefined);
  if (missing !== undefined) throw new KeyferryError('usage_invalid', `The variable ${missing} is not set.`);
  const entries = Object.entries(env).filter(
    (entry): entry is [string, string] => entry[1]?.startsWith('vault.') === true && (only?.includes(entry[0]) ?? true),
  );
  return Object.fromEntries(entries);
}

const nothingStarted =
  'Nothing was started. Correct the references; where a value only looks like one, name with --only the variables that are some.';

/**
 * Their values, by variable. Rejects with an error that names each variable and reference that can't be resolved; if
 * Keyferry can't be asked at all, with that.
 */
export async function valuesOf(client: KeyferryClient, references: Environment): Promise<Environment> {
  const values = await client.resolveAll(references).catch((error: unknown) => {
    throw error instanceof KeyferryClientError ? told(error) : error;
  });
  // The system would refuse the program, and the error would show the value.
  const unfit = Object.keys(values).find((name) => values[name]?.includes('\0'));
  if (unfit === undefined) return values;
  throw new KeyferryClientError('value_not_text', `${unfit}: the value of ${references[unfit]} has a null byte.`, {
    action: nothingStarted,
  });
}

function told({ code, message, failures }: KeyferryClientError): KeyferryClientError {
  const [first] = failures;
  const common = first && failures.every((one) => one.code === first.code) ? first : null;
  if (common && ['api_unavailable', 'unauthorized', 'forbidden'].includes(common.code))
    return new KeyferryClientError(common.code, common.message);
  return new KeyferryClientError(code, message, { action: nothingStarted, failures });
}
