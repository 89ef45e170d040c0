import { inspect } from 'node:util';
import { expect } from 'vitest';
import type { Settings } from './target.ts';

/** In every value that a case writes and every body that a fault answers: none of it may be told. */
export const canary = 'canary';

/** Shorter texts are words or numbers that any message may hold. */
const shortestCredential = 12;

/** The strings below `auth`, but for the method, which hold credentials or stand for them: by line, as of a PEM. */
export function credentialsOf({ auth }: Settings): string[] {
  const { method: _method, ...members } = (auth ?? {}) as Settings;
  return textsIn(members)
    .flatMap((text) => text.split('\n'))
    .filter((text) => text.length >= shortestCredential && !/^(\/|https?:)/.test(text));
}

/** A document of credentials, as a service account's key, is looked into for its secret members. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value, ...(value.startsWith('{') ? secretsIn(JSON.parse(value)) : [])];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : [];
}

function secretsIn(document: Settings): string[] {
  return Object.entries(document).flatMap(([name, value]) => (/key|secret|token/.test(name) ? textsIn(value) : []));
}

/** Everything that somebody who logs, prints or serialises it could get to see. */
export function everythingShown(thing: unknown): string {
  const parts = [inspect(thing, { depth: 12, showHidden: true, getters: true, maxStringLength: null })];
  for (let error = thing; error instanceof Error; error = error.cause)
    parts.push(String(error), error.message, error.stack ?? '', JSON.stringify(error), inspect({ ...error }));
  return parts.join('\n');
}

/** The thing shows none of these, nor a canary. The check's own failure doesn't show them either. */
export function expectSilence(thing: unknown, secrets: Iterable<string>): void {
  const shown = everythingShown(thing);
  const told = [canary, ...secrets].filter((secret) => shown.includes(secret)).length;
  expect(told, 'secrets that can be seen in what was thrown').toBe(0);
}
