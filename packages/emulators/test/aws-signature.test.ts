import { afterEach, beforeEach, expect, test } from 'vitest';
import { type AwsEmulator, startAwsEmulator } from '../src/index.ts';
import { type AwsReply, askAws, askSts, type SignedCall, textOf } from './aws-client.ts';
import { manualClock } from './client.ts';

let clock: ReturnType<typeof manualClock>;
let emulator: AwsEmulator;

beforeEach(async () => {
  clock = manualClock();
  emulator = await startAwsEmulator({ now: clock.now });
});
afterEach(() => emulator.close());

const list = (call: SignedCall = {}) => askAws(emulator, 'ListSecrets', {}, { time: clock.now(), ...call });
const told = ({ status, code, body }: AwsReply) => [status, code, body.message ?? body.Message];

test('a request that is signed right is answered', async () => {
  expect((await list()).body).toEqual({ SecretList: [] });
  expect((await list({ region: 'eu-central-1' })).status).toBe(200);
});

test.for<[string, NonNullable<SignedCall['tamper']>]>([
  ['body', (request) => (request.body = '{"MaxResults":1}')],
  ['target', ({ headers }) => (headers['x-amz-target'] = 'secretsmanager.GetSecretValue')],
  ['date', ({ headers }) => (headers['x-amz-date'] = headers['x-amz-date']?.replace(/.{3}Z$/, '001Z') ?? '')],
  ['signature', ({ headers }) => (headers.authorization = `${headers.authorization?.slice(0, -1)}`)],
  ['payload hash', ({ headers }) => (headers['x-amz-content-sha256'] = 'e3b0c442')],
])('a %s that was changed after signing is refused', async ([, tamper]) => {
  expect((await list({ tamper: (request) => void tamper(request) })).code).toBe('InvalidSignatureException');
});

test('a secret key that is not the key’s is refused, and a key that nobody has', async () => {
  const wrong = { ...emulator.operator, secretAccessKey: 'wrong' };
  expect((await list({ key: wrong })).body.message).toContain('does not match the signature you provided');
  expect(told(await list({ key: { ...wrong, accessKeyId: 'AKIANOTANYBODYSKEY00' } }))).toEqual([
    400,
    'UnrecognizedClientException',
    'The security token included in the request is invalid.',
  ]);
});

test('a signature is good for five minutes, before and after', async () => {
  for (const minutes of [-4.9, 4.9]) expect((await list({ time: clock.now() + minutes * 60_000 })).status).toBe(200);
  const old = await list({ time: clock.now() - 301_000 });
  expect(told(old)).toEqual([
    400,
    'InvalidSignatureException',
    expect.stringMatching(/^Signature expired: .* is now earlier than/),
  ]);
  const early = await list({ time: clock.now() + 301_000 });
  expect(early.body.message).toMatch(/^Signature not yet current: .* is still later than/);
});

test('a scope of another region or service, or of another day, is refused', async () => {
  expect((await list({ region: 'us-west-2' })).body.message).toBe(
    "Credential should be scoped to a valid region, not 'us-west-2'.",
  );
  expect((await list({ service: 'sts' })).body.message).toBe(
    "Credential should be scoped to correct service: 'secretsmanager'.",
  );
  const tamper: SignedCall['tamper'] = ({ headers }) => {
    headers['x-amz-date'] = `20251231${headers['x-amz-date']?.slice(8)}`;
  };
  expect((await list({ tamper })).body.message).toContain('Date in Credential scope does not match');
});

test('what is missing from a signature is named', async () => {
  const without = (change: (header: string) => string) =>
    list({ tamper: ({ headers }) => (headers.authorization = change(headers.authorization ?? '')) });
  expect((await without((header) => header.replace(/Credential=[^,]+, /, ''))).code).toBe(
    'IncompleteSignatureException',
  );
  expect((await without((header) => header.replace(/, Signature=.*/, ''))).code).toBe('IncompleteSignatureException');
  expect((await without((header) => header.replace('AWS4-HMAC-SHA256', 'Bearer'))).code).toBe(
    'IncompleteSignatureException',
  );
  expect((await without((header) => header.replace('host;', ''))).body.message).toContain(
    "'host' must be a 'SignedHeader'",
  );
  const unsigned = await list({ tamper: ({ headers }) => void Reflect.deleteProperty(headers, 'authorization') });
  expect(unsigned.code).toBe('MissingAuthenticationTokenException');
});

test('temporary keys need their token, signed, until they end', async () => {
  const role = emulator.identities.createRole('r', { statements: [{ actions: ['*'] }], trust: {} });
  const key = emulator.identities.createSession(role, 900);
  expect((await list({ key })).status).toBe(200);
  expect((await list({ key: { ...key, sessionToken: null } })).code).toBe('UnrecognizedClientException');
  const unsigned = { 'x-amz-security-token': String(key.sessionToken) };
  expect((await list({ key: { ...key, sessionToken: null }, unsigned })).body.message).toContain(
    'x-amz-security-token',
  );
  expect((await list({ unsigned: { 'x-amz-security-token': 'x' } })).code).toBe('UnrecognizedClientException');
  clock.advance(900);
  expect(told(await list({ key }))).toEqual([
    400,
    'ExpiredTokenException',
    'The security token included in the request is expired',
  ]);
});

test('the token service says the same in its own words', async () => {
  const ask = (call: SignedCall) => askSts(emulator, { Action: 'GetCallerIdentity' }, { time: clock.now(), ...call });
  const ok = await ask({});
  expect(textOf(ok.text, 'Account')).toBe('111122223333');
  expect(textOf(ok.text, 'Arn')).toBe('arn:aws:iam::111122223333:user/operator');
  const refusals = await Promise.all([
    ask({ key: { ...emulator.operator, secretAccessKey: 'wrong' } }),
    ask({ key: { accessKeyId: 'AKIANOTANYBODYSKEY00', secretAccessKey: 'x' } }),
    ask({ time: clock.now() - 600_000 }),
    ask({ service: 'secretsmanager' }),
  ]);
  expect(refusals.map(({ status, code }) => [status, code])).toEqual([
    [403, 'SignatureDoesNotMatch'],
    [403, 'InvalidClientTokenId'],
    [403, 'SignatureDoesNotMatch'],
    [403, 'SignatureDoesNotMatch'],
  ]);
});
