import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type AwsEmulator, startAwsEmulator } from '../src/index.ts';
import { askAws, type SignedCall } from './aws-client.ts';
import { manualClock } from './client.ts';

let clock: ReturnType<typeof manualClock>;
let emulator: AwsEmulator;

beforeEach(async () => {
  clock = manualClock();
  emulator = await startAwsEmulator({ now: clock.now });
});
afterEach(() => emulator.close());

const ask = (operation: string, input: object | string = {}, call: SignedCall = {}) =>
  askAws(emulator, operation, input, { time: clock.now(), ...call });

const create = (Name: string, more: object = {}) =>
  ask('CreateSecret', { Name, SecretString: 'x', ClientRequestToken: randomUUID(), ...more });
const put = (SecretId: string, more: object = {}) =>
  ask('PutSecretValue', { SecretId, SecretString: 'y', ClientRequestToken: randomUUID(), ...more });

const notFound = ['ResourceNotFoundException', "Secrets Manager can't find the specified secret."];
const marked = [
  'InvalidRequestException',
  "You can't perform this operation on the secret because it was marked for deletion.",
];
const told = async (reply: ReturnType<typeof ask>) => {
  const { code, body } = await reply;
  return [code, body.Message ?? body.message];
};

describe('requests', () => {
  test('an operation that there is not, a body that is none, and a member that is unknown are refused', async () => {
    expect((await ask('RotateAll')).code).toBe('UnknownOperationException');
    expect((await ask('constructor')).code).toBe('UnknownOperationException');
    for (const body of ['{', '[]', '"x"']) expect((await ask('ListSecrets', body)).code).toBe('SerializationException');
    expect((await ask('ListSecrets', { Limit: 1 })).code).toBe('SerializationException');
    expect((await ask('ListSecrets', { MaxResults: '1' })).code).toBe('SerializationException');
  });

  test('a member out of its bounds is refused by its name', async () => {
    for (const [operation, input, member] of [
      ['ListSecrets', { MaxResults: 0 }, 'maxResults'],
      ['ListSecrets', { MaxResults: 101 }, 'maxResults'],
      ['GetSecretValue', {}, 'secretId'],
      ['GetSecretValue', { SecretId: 'a', VersionId: 'short' }, 'versionId'],
      ['BatchGetSecretValue', { SecretIdList: [] }, 'secretIdList'],
      ['BatchGetSecretValue', { SecretIdList: Array.from({ length: 21 }, (_, index) => `${index}`) }, 'secretIdList'],
      ['CreateSecret', { Name: 'x'.repeat(513) }, 'name'],
      ['CreateSecret', { Name: 'a', Tags: [{ Value: 'v' }] }, 'tags.1.member.key'],
      ['PutSecretValue', { SecretId: 'a', ClientRequestToken: 'short' }, 'clientRequestToken'],
    ] as const) {
      const { status, code, body } = await ask(operation, input);
      expect([status, code, body.message]).toEqual([
        400,
        'ValidationException',
        expect.stringContaining(`at '${member}'`),
      ]);
    }
  });

  test('names have the characters of names', async () => {
    for (const name of ['with space', 'a:b', 'ключ', 'a*']) {
      expect((await create(name)).body.message).toContain('Invalid name.');
      expect((await ask('DescribeSecret', { SecretId: name })).body.message).toContain('Invalid name.');
    }
    for (const name of ['/A/_+=.@-', 'x'.repeat(512)]) expect((await create(name)).status).toBe(200);
  });

  test('a value has 65,536 bytes at most, and is text or bytes', async () => {
    expect((await create('a', { SecretString: 'x'.repeat(65_536) })).status).toBe(200);
    expect((await create('b', { SecretString: 'ж'.repeat(32_769) })).code).toBe('ValidationException');
    expect((await create('c', { SecretBinary: 'AAAA' })).code).toBe('InvalidParameterException');
    expect((await create('d', { SecretString: undefined, SecretBinary: 'not base64' })).code).toBe(
      'ValidationException',
    );
    expect((await create('e', { SecretString: '' })).code).toBe('ValidationException');
  });
});

describe('reading', () => {
  test('the current version is read, or the one that is asked for', async () => {
    const { body: first } = await create('a');
    const { body: second } = await put('a');
    expect((await ask('GetSecretValue', { SecretId: 'a' })).body).toEqual({
      ARN: first.ARN,
      Name: 'a',
      VersionId: second.VersionId,
      SecretString: 'y',
      VersionStages: ['AWSCURRENT'],
      CreatedDate: clock.now() / 1000,
    });
    const at = async (more: object) => (await ask('GetSecretValue', { SecretId: 'a', ...more })).body.SecretString;
    expect(await at({ VersionStage: 'AWSPREVIOUS' })).toBe('x');
    expect(await at({ VersionId: first.VersionId })).toBe('x');
    expect(await told(ask('GetSecretValue', { SecretId: 'a', VersionStage: 'AWSPENDING' }))).toEqual([
      'ResourceNotFoundException',
      "Secrets Manager can't find the specified secret value for staging label: AWSPENDING",
    ]);
    const mixed = { SecretId: 'a', VersionId: first.VersionId, VersionStage: 'AWSCURRENT' };
    expect((await ask('GetSecretValue', mixed)).body.Message).toContain('not associated to the provided VersionId');
  });

  test('a secret is known by name, by ARN and by ARN without its last characters', async () => {
    const { ARN } = (await create('team/a')).body;
    for (const SecretId of ['team/a', ARN, ARN.slice(0, -7)])
      expect((await ask('DescribeSecret', { SecretId })).body.Name).toBe('team/a');
    const elsewhere = ARN.replace('111122223333', '444455556666');
    expect(await told(ask('DescribeSecret', { SecretId: elsewhere }))).toEqual(notFound);
  });

  test('a batch has values and errors, each by itself', async () => {
    await create('a');
    await create('removed');
    await ask('DeleteSecret', { SecretId: 'removed' });
    emulator.secrets.createEmpty('empty');
    emulator.secrets.put('locked', 'x');
    emulator.secrets.setDecryptable('locked', false);
    const { body } = await ask('BatchGetSecretValue', { SecretIdList: ['a', 'removed', 'never', 'empty', 'locked'] });
    expect(body.SecretValues).toMatchObject([{ Name: 'a', SecretString: 'x' }]);
    expect(body.Errors.map(({ SecretId, ErrorCode }: Record<string, string>) => [SecretId, ErrorCode])).toEqual([
      ['removed', 'InvalidRequestException'],
      ['never', 'ResourceNotFoundException'],
      ['empty', 'ResourceNotFoundException'],
      ['locked', 'DecryptionFailure'],
    ]);
    expect((await ask('BatchGetSecretValue', {})).code).toBe('InvalidParameterException');
    expect((await ask('BatchGetSecretValue', { SecretIdList: ['a', 'a'] })).code).toBe('InvalidParameterException');
  });

  test('versions without labels are shown to who asks for them', async () => {
    await create('a');
    await put('a');
    await put('a');
    const versions = async (more: object) =>
      (await ask('ListSecretVersionIds', { SecretId: 'a', ...more })).body.Versions.map(
        ({ VersionStages }: { VersionStages?: string[] }) => VersionStages,
      );
    expect(await versions({})).toEqual([['AWSPREVIOUS'], ['AWSCURRENT']]);
    expect(await versions({ IncludeDeprecated: true })).toEqual([undefined, ['AWSPREVIOUS'], ['AWSCURRENT']]);
  });
});

describe('listing', () => {
  const names = async (input: object) =>
    (await ask('ListSecrets', input)).body.SecretList.map(({ Name }: { Name: string }) => Name);

  test('pages are of the size that was asked for, and their tokens of one query', async () => {
    for (let index = 0; index < 5; index++) emulator.secrets.put(`k${index}`, 'x');
    const { body: first } = await ask('ListSecrets', { MaxResults: 2 });
    expect(first.SecretList).toHaveLength(2);
    const { NextToken } = first;
    const { body: second } = await ask('ListSecrets', { MaxResults: 2, NextToken });
    expect(second.SecretList.map(({ Name }: { Name: string }) => Name)).toEqual(['k2', 'k3']);
    const third = await ask('ListSecrets', { MaxResults: 2, NextToken: second.NextToken });
    expect(Object.keys(third.body)).toEqual(['SecretList']);
    for (const input of [
      { MaxResults: 3, NextToken },
      { MaxResults: 2, NextToken, IncludePlannedDeletion: true },
      { MaxResults: 2, NextToken: 'bm90IGEgdG9rZW4=' },
      { MaxResults: 2, NextToken: `${NextToken.slice(0, -4)}AAAA` },
    ])
      expect((await ask('ListSecrets', input)).code).toBe('InvalidNextTokenException');
    const other = emulator.identities.createKey('u', [{ actions: ['*'] }], '444455556666');
    expect((await ask('ListSecrets', { MaxResults: 2, NextToken }, { key: other })).code).toBe(
      'InvalidNextTokenException',
    );
    clock.advance(3601);
    expect((await ask('ListSecrets', { MaxResults: 2, NextToken })).code).toBe('InvalidNextTokenException');
  });

  test('exactly a page has no token', async () => {
    for (let index = 0; index < 100; index++) emulator.secrets.put(`k${index}`, 'x');
    expect((await ask('ListSecrets')).body.NextToken).toBeUndefined();
    emulator.secrets.put('k100', 'x');
    expect((await ask('ListSecrets')).body.NextToken).toBeDefined();
  });

  test('filters look at the beginning, and case counts', async () => {
    for (const name of ['team/a', '/team/b', 'Team/c', 'other']) emulator.secrets.put(name, 'x');
    emulator.secrets.tag('other', { Owner: 'Search' });
    const filter = (Key: string, ...Values: string[]) => names({ Filters: [{ Key, Values }] });
    expect(await filter('name', 'team/')).toEqual(['team/a']);
    expect(await filter('name', 'team/', '/team/')).toEqual(['team/a', '/team/b']);
    expect(await filter('name', '!/')).toEqual(['team/a', 'Team/c', 'other']);
    expect(await filter('tag-key', 'own')).toEqual([]);
    expect(await filter('tag-value', 'Sea')).toEqual(['other']);
    expect((await ask('ListSecrets', { Filters: [{ Key: 'colour', Values: ['x'] }] })).status).toBe(400);
    expect((await ask('ListSecrets', { Filters: [{ Key: 'name', Values: ['a#b'] }] })).status).toBe(400);
    const many = { Key: 'name', Values: Array.from({ length: 11 }, () => 'x') };
    expect((await ask('ListSecrets', { Filters: [many] })).status).toBe(400);
  });

  test('what is scheduled for deletion is shown to who asks for it, until it is gone', async () => {
    await create('a');
    await ask('DeleteSecret', { SecretId: 'a', RecoveryWindowInDays: 7 });
    expect(await names({})).toEqual([]);
    const { body } = await ask('ListSecrets', { IncludePlannedDeletion: true });
    expect(body.SecretList[0].DeletedDate).toBe(clock.now() / 1000 + 7 * 86_400);
    clock.advance(7 * 86_400);
    expect(await names({ IncludePlannedDeletion: true })).toEqual([]);
    expect((await create('a')).status).toBe(200);
  });

  test('a listing that is frozen shows what was, and reads what is', async () => {
    emulator.secrets.put('a', 'before');
    emulator.secrets.freezeListing();
    const version = emulator.secrets.put('a', 'after');
    emulator.secrets.put('b', 'x');
    const { body } = await ask('ListSecrets');
    expect(body.SecretList.map(({ Name }: { Name: string }) => Name)).toEqual(['a']);
    expect(Object.keys(body.SecretList[0].SecretVersionsToStages)).not.toContain(version);
    expect((await ask('GetSecretValue', { SecretId: 'b' })).status).toBe(200);
    emulator.secrets.thawListing();
    expect(await names({})).toEqual(['a', 'b']);
  });

  test('a hundred thousand secrets can be seeded and listed', async () => {
    for (let index = 0; index < 100_000; index++) emulator.secrets.put(`bulk/${index % 100}/${index}`, 'x');
    let token: string | undefined;
    let count = 0;
    do {
      const { body } = await ask('ListSecrets', { ...(token && { NextToken: token }) });
      count += body.SecretList.length;
      token = body.NextToken;
    } while (token !== undefined && count < 20_000);
    expect(count).toBe(20_000);
    expect(await names({ Filters: [{ Key: 'name', Values: ['bulk/7/99907'] }] })).toEqual(['bulk/7/99907']);
  });
});

describe('writing', () => {
  test('a token makes a write once, and another value with it is refused', async () => {
    const ClientRequestToken = randomUUID();
    const first = await create('a', { ClientRequestToken });
    expect((await create('a', { ClientRequestToken })).body).toEqual(first.body);
    expect((await create('a', { ClientRequestToken, SecretString: 'z' })).code).toBe('ResourceExistsException');
    expect((await create('a')).code).toBe('ResourceExistsException');
    const again = { ClientRequestToken: randomUUID() };
    const second = await put('a', again);
    expect((await put('a', again)).body).toEqual(second.body);
    expect((await put('a', { ...again, SecretString: 'z' })).code).toBe('ResourceExistsException');
    expect(await told(put('a', { ClientRequestToken: undefined }))).toEqual([
      'InvalidRequestException',
      'You must provide a ClientRequestToken value. We recommend a UUID-type value.',
    ]);
  });

  test('labels move with a new version, or stay while another one is pending', async () => {
    const { VersionId: first } = (await create('a')).body;
    const { VersionId: pending, VersionStages } = (await put('a', { VersionStages: ['AWSPENDING'] })).body;
    expect(VersionStages).toEqual(['AWSPENDING']);
    const { VersionId: current } = (await put('a')).body;
    expect((await ask('DescribeSecret', { SecretId: 'a' })).body.VersionIdsToStages).toEqual({
      [first]: ['AWSPREVIOUS'],
      [pending]: ['AWSPENDING'],
      [current]: ['AWSCURRENT'],
    });
  });

  test('a hundred versions are kept, and no more within a day', async () => {
    await create('a');
    for (let count = 1; count < 100; count++) await put('a');
    expect((await put('a')).code).toBe('LimitExceededException');
    clock.advance(86_400);
    expect((await put('a')).status).toBe(200);
    expect((await ask('ListSecretVersionIds', { SecretId: 'a', IncludeDeprecated: true })).body.Versions).toHaveLength(
      100,
    );
  });

  test('what is scheduled for deletion is described, and nothing else until it is restored', async () => {
    await create('a');
    expect((await ask('DeleteSecret', { SecretId: 'a', RecoveryWindowInDays: 6 })).code).toBe(
      'InvalidParameterException',
    );
    expect((await ask('DeleteSecret', { SecretId: 'a' })).body.DeletionDate).toBe(clock.now() / 1000 + 30 * 86_400);
    expect(await told(ask('GetSecretValue', { SecretId: 'a' }))).toEqual(marked);
    expect(await told(put('a'))).toEqual(marked);
    expect((await create('a')).body.Message).toContain('already scheduled for deletion');
    expect((await ask('DeleteSecret', { SecretId: 'a' })).code).toBe('InvalidRequestException');
    expect((await ask('DescribeSecret', { SecretId: 'a' })).body.DeletedDate).toBeDefined();
    expect((await ask('ListSecretVersionIds', { SecretId: 'a' })).status).toBe(200);
    expect((await ask('RestoreSecret', { SecretId: 'a' })).body.Name).toBe('a');
    expect((await ask('GetSecretValue', { SecretId: 'a' })).status).toBe(200);
    await ask('DeleteSecret', { SecretId: 'a', ForceDeleteWithoutRecovery: true });
    for (const operation of ['DescribeSecret', 'RestoreSecret', 'DeleteSecret'])
      expect(await told(ask(operation, { SecretId: 'a' }))).toEqual(notFound);
  });

  test('tags have their limits', async () => {
    const tags = (count: number) => Array.from({ length: count }, (_, index) => ({ Key: `k${index}`, Value: 'v' }));
    expect((await create('a', { Tags: tags(50) })).status).toBe(200);
    for (const Tags of [
      tags(51),
      [...tags(1), ...tags(1)],
      [{ Key: 'aws:x' }],
      [{ Key: 'a#b' }],
      [{ Key: 'a', Value: 'v'.repeat(257) }],
    ])
      expect((await create('b', { Tags })).status).toBe(400);
    expect((await ask('DescribeSecret', { SecretId: 'a' })).body.Tags).toHaveLength(50);
  });
});

describe('permissions', () => {
  const allowing = (...actions: string[]) =>
    emulator.identities.createKey('u', [{ actions, resources: ['arn:aws:secretsmanager:*:*:secret:team/*'] }]);

  test('an identity may do what its policies allow, to the secrets that they name', async () => {
    for (const name of ['team/a', 'other']) emulator.secrets.put(name, 'x');
    const key = allowing('secretsmanager:GetSecretValue');
    expect((await ask('GetSecretValue', { SecretId: 'team/a' }, { key })).status).toBe(200);
    const refused = await ask('GetSecretValue', { SecretId: 'other' }, { key });
    expect([refused.code, refused.body.Message]).toEqual([
      'AccessDeniedException',
      expect.stringMatching(
        /^User: arn:aws:iam::111122223333:user\/u is not authorized to perform: secretsmanager:GetSecretValue on/,
      ),
    ]);
    expect((await ask('DescribeSecret', { SecretId: 'team/a' }, { key })).code).toBe('AccessDeniedException');
    expect((await ask('ListSecrets', {}, { key })).code).toBe('AccessDeniedException');
    // Whether a secret is there is not told to who may not see it.
    expect((await ask('GetSecretValue', { SecretId: 'never' }, { key })).code).toBe('AccessDeniedException');
    expect((await ask('GetSecretValue', { SecretId: 'team/never' }, { key })).code).toBe('ResourceNotFoundException');
  });

  test('a denial wins, in a batch for its secret alone', async () => {
    for (const name of ['team/a', 'team/b']) emulator.secrets.put(name, 'x');
    const denied = { effect: 'Deny', actions: ['*:Get*'], resources: ['*:team/b-??????'] } as const;
    const key = emulator.identities.createKey('u', [{ actions: ['secretsmanager:*'] }, denied]);
    const { body } = await ask('BatchGetSecretValue', { SecretIdList: ['team/a', 'team/b'] }, { key });
    expect(body).toMatchObject({
      SecretValues: [{ Name: 'team/a' }],
      Errors: [{ SecretId: 'team/b', ErrorCode: 'AccessDeniedException' }],
    });
  });

  test('accounts and regions have secrets of their own', async () => {
    emulator.secrets.put('a', 'x');
    const key = emulator.identities.createKey('u', [{ actions: ['*'] }], '444455556666');
    expect((await ask('ListSecrets', {}, { key })).body.SecretList).toEqual([]);
    expect((await ask('ListSecrets', {}, { region: 'eu-central-1' })).body.SecretList).toEqual([]);
    expect((await ask('GetSecretValue', { SecretId: 'a' }, { key })).code).toBe('ResourceNotFoundException');
  });
});

test('rates are limited by operation, in the real one’s words', async () => {
  emulator.setQuota({ ListSecrets: 2 });
  for (let count = 0; count < 2; count++) expect((await ask('ListSecrets')).status).toBe(200);
  expect(await told(ask('ListSecrets'))).toEqual(['ThrottlingException', 'Rate exceeded']);
  expect((await ask('DescribeSecret', { SecretId: 'never' })).code).toBe('ResourceNotFoundException');
  clock.advance(1);
  expect((await ask('ListSecrets')).status).toBe(200);
});

test('requests are logged with the secret that they are about, and without values', async () => {
  await create('team/a', { SecretString: 'canary' });
  expect(emulator.requests.all).toEqual([
    { method: 'POST', path: 'team/a', operation: 'CreateSecret', namespace: '', status: 200 },
  ]);
});
