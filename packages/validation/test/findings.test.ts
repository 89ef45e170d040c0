import { expect, test } from 'vitest';
import { codesOf, fake, judged, unruled } from './support.ts';

test.each([
  ['cut off', fake.anthropic.slice(0, 40), 'format_malformed'],
  ['with a newline in it', fake.google.replace('AAAA', 'AA\nAA'), 'format_malformed'],
  ['with something after it', `${fake.openrouter} # main`, 'format_malformed'],
  ['in quotation marks', `"${fake.openai}"`, 'format_malformed'],
  ['with a wrong checksum', `ghp_${'A'.repeat(36)}`, 'format_malformed'],
  ['of PEM without an end', '-----BEGIN CERTIFICATE-----\nMIIB', 'format_malformed'],
  ['with a newline after it', `${fake.openai}\n`, 'whitespace_around'],
  ['with a space before it', ` ${fake.google}`, 'whitespace_around'],
  [
    'with white space around it, in the field of an object',
    JSON.stringify({ token: `${fake.openai} ` }),
    'whitespace_around',
  ],
  ['that is empty', '', 'value_empty'],
  ['that is empty, in a field', '{"value":""}', 'value_empty'],
  ['that is white space', ' \n', 'value_empty'],
  ['changeme', 'ChangeMe', 'placeholder'],
  ['TODO', 'TODO', 'placeholder'],
  ['xxx', 'xxxxxxxx', 'placeholder'],
  ['sk-xxx', 'sk-proj-xxxxxxxx', 'placeholder'],
  ['<your-key>', '<your-key>', 'placeholder'],
  ['your-api-key-here', 'your-api-key-here', 'placeholder'],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: of another language
  ['of a template', '${OPENAI_API_KEY}', 'placeholder'],
])('a value %s gets one warning and is carried', (_, value, code) => {
  const judgement = unruled(value);
  expect(judgement.rejected).toBe(false);
  expect(codesOf(judgement)).toEqual([code]);
});

test.each([
  ['a plain password', 'correct horse battery staple'],
  ['a password with a newline', 'hunter2hunter2\n'],
  ['a key of a form that many use', `sk-${'a'.repeat(32)}`],
  ['a well-formed key', fake.anthropic],
  ['an object with fields', '{"user":"a","password":"<secret>"}'],
  ['an empty object', '{}'],
  ['a passphrase that begins with "your"', 'your cat sat on the mat'],
  ['bytes', Buffer.from([0xff, 0x00])],
  ['what is larger than any key', `sk-ant-api03-${'A'.repeat(50_000)}`],
])('%s gets no warning', (_, value) => {
  expect(unruled(value).problems).toEqual([]);
});

test('a key of another provider than the one its path names gets a warning that names both', () => {
  expect(unruled(fake.anthropic, 'bifrost/openai/production').problems).toEqual([
    {
      code: 'format_unexpected',
      message: 'The path "bifrost/openai/production" speaks of openai, but its value is an Anthropic API key.',
    },
  ]);
});

test.each([
  ['the provider’s own folder', fake.openai, 'bifrost/openai/production'],
  ['a path that names both', fake.anthropic, 'openai/anthropic-fallback'],
  ['a path that names two others', fake.google, 'openai/anthropic'],
  ['a path that names none', fake.openai, 'bifrost/production'],
  ['a word that only contains a name', fake.anthropic, 'notopenai/key'],
  ['a pipeline’s folder', fake.openai, 'github/actions'],
  ['a gateway’s key in place of a provider’s', fake.bifrost, 'openai/key'],
  ['a token whose provider nobody can tell', `eyJ${'A'.repeat(20)}.eyJ${'A'.repeat(20)}.A`, 'openai/key'],
])('a key in %s is as expected', (_, value, path) => {
  expect(unruled(value, path).problems).toEqual([]);
});

test('a rule that says opaque ends the catalogue’s warnings, one that names a format speaks for itself', () => {
  const path = 'bifrost/openai/production';
  expect(judged({ type: 'opaque' }, `${fake.anthropic} `, path).problems).toEqual([]);
  expect(judged({ type: 'anthropic_api_key' }, fake.anthropic, path).problems).toEqual([]);
  expect(codesOf(judged({ type: 'anthropic_api_key' }, `${fake.anthropic} `, path))).toEqual(['value_type']);
  expect(codesOf(judged({ min_length: 1 }, fake.anthropic, path))).toEqual(['format_unexpected']);
});

test('a warning of the catalogue never makes a rule refuse', () => {
  expect(judged({ min_length: 1 }, `${fake.openai}\n`)).toMatchObject({
    rejected: false,
    problems: [{ code: 'whitespace_around' }],
  });
});
