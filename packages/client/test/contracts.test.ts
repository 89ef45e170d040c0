import type { ChangeMessage, ErrorAnswer, ResolveAnswer } from '@keyferry/contracts';
import { changeMessage, resolveRequest } from '@keyferry/contracts';
import { KeyferryError, parseReference as parseOfKeyferry } from '@keyferry/core';
import fc from 'fast-check';
import { expect, expectTypeOf, test } from 'vitest';
import { KeyferryClientError } from '../src/error.ts';
import * as messages from '../src/messages.ts';
import { parseReference, referenceTo } from '../src/reference.ts';

/** The client imports nothing of Keyferry, so that it can be installed alone. Here it is held to what Keyferry says. */

test('what the client reads is what Keyferry’s contracts say', () => {
  expectTypeOf<ResolveAnswer['items'][number]>().toExtend<messages.Item>();
  expectTypeOf<ChangeMessage>().toExtend<messages.ChangeMessage>();
  expectTypeOf<ChangeMessage['type']>().toEqualTypeOf<messages.ChangeMessage['type']>();
  expectTypeOf<ErrorAnswer>().toExtend<{ error: NonNullable<ReturnType<typeof messages.errorOf>> }>();
});

const texts = fc.oneof(
  fc.string(),
  fc.string({ unit: 'grapheme' }).map((text) => `vault.${text}`),
  fc.string({ unit: fc.constantFrom('a', '/', '#', '%', '%23', '%25', '%2') }).map((text) => `vault.${text}`),
  fc.string({ unit: fc.constantFrom('A', '1', '_', '-') }).map((text) => `env.${text}`),
);

test('a text is a reference here exactly if it is one to Keyferry, and to the same', () => {
  fc.assert(
    fc.property(texts, (text) => {
      expect(outcome(() => ours(text))).toEqual(outcome(() => theirs(text)));
    }),
  );
});

function ours(text: string) {
  const reference = parseReference(text);
  return reference.kind === 'secret' ? { kind: 'key', path: reference.path } : reference;
}

function theirs(text: string) {
  const reference = parseOfKeyferry(text);
  return reference.kind === 'key' ? { kind: 'key', path: reference.path.normalize('NFC') } : reference;
}

function outcome(parse: () => unknown): unknown {
  try {
    return parse();
  } catch (error) {
    if (error instanceof KeyferryClientError || error instanceof KeyferryError) return [error.code, error.message];
    throw error;
  }
}

test('a path becomes the reference to it', () => {
  const paths = fc.string({ unit: fc.constantFrom('a', '/', '#', '%', 'é', '2', '3') }).filter((path) => path !== '');
  fc.assert(
    fc.property(paths, (path) => {
      expect(parseOfKeyferry(referenceTo(path))).toEqual({ kind: 'key', path, field: null });
    }),
  );
});

test('as many references as the client sends at once are taken', () => {
  const references = Array.from({ length: 1_000 }, (_, index) => `vault.${index}`);
  expect(resolveRequest.safeParse({ references })).toMatchObject({ success: true });
});

test('each message is understood, and what is none is passed over', () => {
  const all: ChangeMessage[] = [
    { type: 'hello', position: '7' },
    { type: 'alive' },
    { type: 'changed', paths: ['a'] },
    { type: 'flush' },
  ];
  expect(all.map(({ type }) => type).sort()).toEqual(changeMessage.options.map(({ shape }) => shape.type.value).sort());
  const [{ position: _, ...hello }, ...others] = all as [{ type: 'hello'; position: string }, ...ChangeMessage[]];
  expect(all.map((message) => messages.changeMessageOf(JSON.stringify(message)))).toEqual([hello, ...others]);
  for (const text of ['', '{', 'null', '7', '{"type":"later"}', '{"type":"changed"}'])
    expect(messages.changeMessageOf(text)).toBeNull();
});

test('an answer to other references is none', () => {
  const answer = { items: [{ reference: 'vault.a', value: '1', encoding: 'utf8', stale: false }] };
  expect(messages.itemsOf(answer, ['vault.a'])).toEqual(answer.items);
  expect(messages.itemsOf(answer, ['vault.b'])).toBeNull();
  expect(messages.itemsOf(answer, ['vault.a', 'vault.b'])).toBeNull();
  expect(messages.itemsOf({ items: [{ reference: 'vault.a' }] }, ['vault.a'])).toBeNull();
  expect(messages.itemsOf('a page of HTML', ['vault.a'])).toBeNull();
});
