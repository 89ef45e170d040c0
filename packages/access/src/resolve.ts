import { KeyferryError, parseReference, pathProblem } from '@keyferry/core';
import { LRUCache } from 'lru-cache';
import type { SecretRead } from './held-secret.ts';
import { type SecretText, secretText } from './secret-text.ts';

/** What became of one reference. */
export type Resolved =
  | ({ reference: string; stale: boolean } & SecretText)
  | { reference: string; error: { code: string; message: string; action: string } };

type Answer = SecretRead | { error: unknown };

/** Why a path is not read for whoever asks; null where it is. */
export type RefusalOf = (path: string) => KeyferryError | null;

/** How secrets are read. */
export interface ManyReader {
  refusalOf: RefusalOf;
  /** What memory has, where that may be answered. */
  inMemory(path: string): Answer | null;
  /** Adds an answer for each of the paths. */
  readAll(paths: readonly string[], answers: Map<string, Answer>): Promise<unknown>;
}

/** So many secrets are read at once, and so many bytes answered together. */
const batchSize = 100;
const mostBytes = 32 * 1024 * 1024;

const useEnvironment = 'Resolve it where the variable is set: the API tells none of its own environment.';

/** Each secret is read once, however many references and fragments name it. */
export async function resolveReferences(texts: readonly string[], reader: ManyReader): Promise<Resolved[]> {
  const parsed = texts.map(parse).map((item) => permitted(item, reader.refusalOf));
  const ready = parsed.map((item) => ('path' in item ? reader.inMemory(item.path) : null));
  const missing = new Set<string>();
  for (const [index, item] of parsed.entries()) if ('path' in item && ready[index] === null) missing.add(item.path);
  const answers = await readInBatches([...missing], reader);
  let answered = 0;
  return parsed.map((item, index) => {
    const reference = texts[index] ?? '';
    const resolved = 'path' in item ? follow(item, ready[index] ?? answers.get(item.path)) : item;
    if ('error' in resolved) return { reference, error: resolved.error };
    const { value, encoding, stale } = resolved;
    answered += value.length;
    refuseTooMuch(answered);
    return { reference, value, encoding, stale };
  });
}

async function readInBatches(paths: readonly string[], reader: ManyReader): Promise<Map<string, Answer>> {
  const answers = new Map<string, Answer>();
  for (let start = 0; start < paths.length; start += batchSize) {
    await reader.readAll(paths.slice(start, start + batchSize), answers);
    let bytes = 0;
    for (const answer of answers.values()) if ('secret' in answer) bytes += answer.secret.value.size;
    refuseTooMuch(bytes);
  }
  return answers;
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

/** Names of keys that were asked for before: a service asks for the same ones again and again. */
const named = new LRUCache<string, Wanted>({ max: 10_000 });

/** An invalid reference may be a secret after all, and is not named. */
function parse(text: string): Wanted | Told | Failed {
  const known = named.get(text);
  if (known) return known;
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
        if (pathProblem(path) !== null)
          throw new KeyferryError('reference_invalid', 'A reference begins with "vault." but names no path of a key.');
        const wanted = { path, field: reference.field };
        named.set(text, wanted);
        return wanted;
      }
    }
  } catch (error) {
    return failed(error);
  }
}

function permitted(item: Wanted | Told | Failed, refusalOf: RefusalOf): Wanted | Told | Failed {
  const refusal = 'path' in item ? refusalOf(item.path) : null;
  return refusal && 'path' in item ? failed(refusal, nameOf(item)) : item;
}

const nameOf = ({ path, field }: Wanted) => `vault.${path}${field === null ? '' : `#${field}`}`;

function follow({ path, field }: Wanted, answer: Answer | undefined): Told | Failed {
  try {
    if (!answer || 'error' in answer) throw answer?.error;
    const { value, encoding } = secretText(answer.secret, field);
    if (value !== '') return { value, encoding, stale: answer.stale };
    throw new KeyferryError('reference_unresolved', 'What it names is empty.');
  } catch (error) {
    return failed(error, nameOf({ path, field }));
  }
}

/** What was not made for a person's eyes is not shown, and ends the request: it is a fault of ours. */
function failed(error: unknown, name?: string): Failed {
  if (!(error instanceof KeyferryError)) throw error;
  const { code, message, action } = error;
  return { error: { code, action, message: name === undefined ? message : `"${name}" is not resolved. ${message}` } };
}
