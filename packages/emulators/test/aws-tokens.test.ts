import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type AwsEmulator, type AwsRoleOptions, startAwsEmulator } from '../src/index.ts';
import { askAws, askSts, type SignedCall, textOf } from './aws-client.ts';
import { manualClock } from './client.ts';

let clock: ReturnType<typeof manualClock>;
let emulator: AwsEmulator;

beforeEach(async () => {
  clock = manualClock();
  emulator = await startAwsEmulator({ now: clock.now });
});
afterEach(() => emulator.close());

const everything = [{ actions: ['*'] }];
const createRole = (trust: AwsRoleOptions['trust'], more: Partial<AwsRoleOptions> = {}) =>
  emulator.identities.createRole('r', { statements: everything, trust, ...more });

const assume = (RoleArn: string, parameters: Record<string, string> = {}, call: SignedCall = {}) =>
  askSts(
    emulator,
    { Action: 'AssumeRole', RoleArn, RoleSessionName: 'test', ...parameters },
    { time: clock.now(), ...call },
  );

const keyIn = (xml: string) => ({
  accessKeyId: textOf(xml, 'AccessKeyId') ?? '',
  secretAccessKey: textOf(xml, 'SecretAccessKey') ?? '',
  sessionToken: textOf(xml, 'SessionToken') ?? '',
});

describe('assuming a role', () => {
  test('gives keys of the role, for an hour unless told otherwise', async () => {
    const role = createRole({ principals: ['111122223333'] });
    const { text } = await assume(role);
    expect(textOf(text, 'Arn')).toBe('arn:aws:sts::111122223333:assumed-role/r/test');
    expect(textOf(text, 'Expiration')).toBe(new Date(clock.now() + 3_600_000).toISOString().replace('.000', ''));
    const key = keyIn(text);
    expect(key.accessKeyId).toMatch(/^ASIA/);
    const call = { key, time: clock.now() };
    expect((await askAws(emulator, 'ListSecrets', {}, call)).status).toBe(200);
    const who = await askSts(emulator, { Action: 'GetCallerIdentity' }, call);
    expect(textOf(who.text, 'Arn')).toBe('arn:aws:sts::111122223333:assumed-role/r/test');
    clock.advance(3600);
    const expired = await askSts(emulator, { Action: 'GetCallerIdentity' }, { ...call, time: clock.now() });
    expect([expired.status, expired.code]).toEqual([403, 'ExpiredToken']);
  });

  test('needs a trust that names the caller or its account, and the external id', async () => {
    const { operator } = emulator;
    const stranger = emulator.identities.createKey('stranger', []);
    const allowed = { effect: 'Allow', actions: ['sts:AssumeRole'] } as const;
    const other = emulator.identities.createKey('other', [allowed], '444455556666');
    const codes = async (trust: AwsRoleOptions['trust'], parameters = {}) => {
      const role = createRole(trust);
      const replies = [operator, stranger, other].map((key) => assume(role, parameters, { key }));
      return (await Promise.all(replies)).map(({ code }) => code ?? 'ok');
    };
    const denied = 'AccessDenied';
    expect(await codes({})).toEqual([denied, denied, denied]);
    expect(await codes({ principals: ['111122223333'] })).toEqual(['ok', denied, denied]);
    expect(await codes({ principals: ['arn:aws:iam::111122223333:user/stranger'] })).toEqual([denied, 'ok', denied]);
    expect(await codes({ principals: ['arn:aws:iam::444455556666:root'] })).toEqual([denied, denied, 'ok']);
    expect(await codes({ principals: ['*'], externalId: 'x-1' })).toEqual([denied, denied, denied]);
    expect(await codes({ principals: ['*'], externalId: 'x-1' }, { ExternalId: 'x-1' })).toEqual(['ok', denied, 'ok']);
  });

  test('refuses what is not of the grammar', async () => {
    const role = createRole({ principals: ['*'] });
    for (const [RoleArn, parameters] of [
      ['arn:aws:iam::1:role/r', {}],
      [role, { RoleSessionName: 'a b' }],
      [role, { DurationSeconds: '899' }],
      [role, { DurationSeconds: '3601' }],
      [role, { ExternalId: 'a b' }],
      [role, { Version: '2010-01-01' }],
    ] as const)
      expect((await assume(RoleArn, parameters)).status).toBe(400);
    expect((await assume('arn:aws:iam::111122223333:role/never')).code).toBe('AccessDenied');
    expect((await askSts(emulator, { Action: 'GetEverything' }, { time: clock.now() })).code).toBe('InvalidAction');
  });

  test('a chain lasts an hour at most', async () => {
    const role = createRole({ principals: ['*'] }, { maxSessionSeconds: 43_200 });
    const first = await assume(role, { DurationSeconds: '43200' });
    const key = keyIn(first.text);
    expect((await assume(role, { DurationSeconds: '3600' }, { key })).status).toBe(200);
    expect((await assume(role, { DurationSeconds: '3601' }, { key })).text).toContain('role chaining');
  });
});

describe('web identity', () => {
  const issuer = 'https://oidc.example.com';
  const assumeWith = (RoleArn: string, WebIdentityToken: string) =>
    askSts(
      emulator,
      { Action: 'AssumeRoleWithWebIdentity', RoleArn, RoleSessionName: 'pod', WebIdentityToken },
      { tamper: ({ headers }) => void Reflect.deleteProperty(headers, 'authorization') },
    );

  test('a token of a trusted issuer gives keys, without a signature', async () => {
    const role = createRole({ webIdentity: { issuer, subject: 'pod' } });
    const { text } = await assumeWith(role, emulator.issueToken({ issuer, subject: 'pod' }));
    expect(textOf(text, 'SubjectFromWebIdentityToken')).toBe('pod');
    expect((await askAws(emulator, 'ListSecrets', {}, { key: keyIn(text), time: clock.now() })).status).toBe(200);
  });

  test('a token that is forged, over, of another or none is refused', async () => {
    const role = createRole({ webIdentity: { issuer, subject: 'pod', audience: 'sts.amazonaws.com' } });
    const good = emulator.issueToken({ issuer, subject: 'pod', expiresInSeconds: 60 });
    const [header, , signature] = good.split('.');
    const claims = Buffer.from(JSON.stringify({ iss: issuer, sub: 'admin', aud: 'sts.amazonaws.com', exp: 9e9 }));
    const codes = async (...tokens: string[]) =>
      (await Promise.all(tokens.map((token) => assumeWith(role, token)))).map(({ status, code }) => [status, code]);
    expect(
      await codes(
        `${header}.${claims.toString('base64url')}.${signature}`,
        'not-a-token',
        emulator.issueToken({ issuer, subject: 'other' }),
        emulator.issueToken({ issuer, subject: 'pod', audience: 'vault' }),
        emulator.issueToken({ issuer: 'https://elsewhere.example.com', subject: 'pod' }),
      ),
    ).toEqual([
      [400, 'InvalidIdentityToken'],
      [400, 'InvalidIdentityToken'],
      [403, 'AccessDenied'],
      [403, 'AccessDenied'],
      [403, 'AccessDenied'],
    ]);
    clock.advance(60);
    expect(await codes(good)).toEqual([[400, 'ExpiredTokenException']]);
  });
});

describe('metadata', () => {
  const get = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
    fetch(`${emulator.url}${path}`, { method, headers });

  test('an instance gives a token first, and its role’s keys to who has it', async () => {
    const path = '/latest/meta-data/iam/security-credentials/';
    expect((await get(path)).status).toBe(401);
    expect((await get('/latest/api/token', {}, 'PUT')).status).toBe(400);
    const ttl = { 'x-aws-ec2-metadata-token-ttl-seconds': '60' };
    const token = await (await get('/latest/api/token', ttl, 'PUT')).text();
    const headers = { 'x-aws-ec2-metadata-token': token };
    expect((await get(path, headers)).status).toBe(404);
    emulator.setInstanceRole(createRole({}));
    expect(await (await get(path, headers)).text()).toBe('r');
    const keys = await (await get(`${path}r`, headers)).json();
    expect(keys).toMatchObject({ Code: 'Success', AccessKeyId: expect.stringMatching(/^ASIA/) });
    expect(await (await get(`${path}r`, headers)).json()).toEqual(keys);
    expect(await (await get('/latest/meta-data/placement/region', headers)).text()).toBe('us-east-1');
    clock.advance(60);
    expect((await get(path, headers)).status).toBe(401);
  });

  test('a container’s keys are for who shows its authorization', async () => {
    expect((await get('/container/credentials')).status).toBe(404);
    emulator.setContainerRole(createRole({}), 'Basic abc');
    expect((await get('/container/credentials')).status).toBe(401);
    const answer = await get('/container/credentials', { authorization: 'Basic abc' });
    expect(Object.keys((await answer.json()) as object)).toEqual([
      'AccessKeyId',
      'SecretAccessKey',
      'Token',
      'Expiration',
    ]);
  });
});
