import { KeyferryError, parseReference, pathProblem } from '@keyferry/core';
import type { SecretRead } from './held-secret.ts';
import { type SecretText, secretText } from './secret-text.ts';

/** What became of one reference. */
export type Resolved =
  | ({ reference: string; stale: boolean } & SecretText)
  | { reference: string; error: { code: string; message: string; action: string } };

type ReadAll = (paths: readonly string[]) => Promise<Map<string, SecretRead | { error: unknown }>>;

/** So many secrets are read at once, and so many bytes answered together. */
const batchSize = 100;
const mostBytes = 32 * 1024 * 1024;

const useEnvironment = 'Resolve it where the variable is set: the API tells none of its own environment.';

/** Each secret is read once, however many references and fragments name it. */
export async function resolveReferences(texts: readonly string[], readAll: ReadAll): Promise<Resolved[]> {
  const parsed = texts.map(parse);
  const paths = [...new Set(parsed.flatMap((item) => ('path' in item ? [item.path] : [])))];
  const read = new Map<string, SecretRead | { error: unknown }>();
  let bytes = 0;
  for (let start = 0; start < paths.length; start += batchSize)
    for (const [path, outcome] of await readAll(paths.slice(start, start + batchSize))) {
      read.set(path, outcome);
      bytes += 'secret' in outcome ? outcome.secret.value.size : 0;
      refuseTooMuch(bytes);
    }
  let answered = 0;
  return parsed.map((item, index) => {
    const reference = texts[index] ?? '';
    const resolved = 'path' in item ? follow(item, read.get(item.path)) : item;
    if ('error' in resolved) return { reference, error: resolved.error };
    answered += resolved.value.length;
    refuseTooMuch(answered);
    return { reference, ...resolved };
  });
}

function refuseTooMuch(bytes: number): void {
  if (bytes > mostBytes)
    throw new KeyferryError(
      'request_invalid',
      `The values have more than ${mostBytes / 1024 / 1024} MiB together: resolve fewer references at a time.`,
    );
}

type Told = SecretText & { stale: boolean };
type Failed = { error: { code: string; message: string; action: string } };
interface Wanted {
  path: string;
  field: string | null;
}

/** An invalid reference may be a secret after all, and is not named. */
function parse(text: string): Wanted | Told | Failed {
  try {
    const reference = parseReference(text);
    switch (reference.kind) {
      case 'plain':
        return { value: text, encoding: 'utf8', stale: false };
      case 'environment':
        return {
          error: {
            code: 'reference_refused',
            message: `"env.${reference.variable}" names a variable, which the API doesn’t resolve.`,
            action: useEnvironment,
          },
        };
      case 'key': {
        const path = reference.path.normalize('NFC');
        if (pathProblem(path) === null) return { path, field: reference.field };
        throw new KeyferryError('reference_invalid', 'A reference begins with "vault." but names no path of a key.');
      }
    }
  } catch (error) {
    return failed(error);
  }
}

function follow({ path, field }: Wanted, outcome: SecretRead | { error: unknown } | undefined): Told | Failed {
  const name = `vault.${path}${field === null ? '' : `#${field}`}`;
  if (!outcome || 'error' in outcome) return failed(outcome?.error, name);
  try {
    const text = secretText(outcome.secret, field);
    if (text.value !== '') return { ...text, stale: outcome.stale };
    throw new KeyferryError('reference_unresolved', `What it names is empty.`);
  } catch (error) {
    return failed(error, name);
  }
}

/** What was not made for a person's eyes is not shown, and ends the request: it is a fault of ours. */
function failed(error: unknown, name?: string): Failed {
  if (!(error instanceof KeyferryError)) throw error;
  const { code, message, action } = error;
  return { error: { code, action, message: name === undefined ? message : `"${name}" is not resolved. ${message}` } };
}
