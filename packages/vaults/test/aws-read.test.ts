import type { AwsEmulatorOptions } from '@keyferry/emulators';
import { expect, test } from 'vitest';
import { everything, startAwsBench, staticAuth } from './aws-harness.ts';
import { failureOf, fetchAll, listAll, patient, readOne } from './support.ts';

async function benchWith(count: number, options?: AwsEmulatorOptions) {
  const bench = await startAwsBench(options);
  const names = Array.from({ length: count }, (_, index) => `team/${index}`);
  for (const name of names) bench.vault.secrets.put(name, `value of ${name}`);
  return { ...bench, names, backend: await bench.connect() };
}

test('secrets are read twenty at a time, and their tags not asked for once they were listed', async () => {
  const { backend, vault, names } = await benchWith(45);
  const refs = await listAll(backend);
  const read: string[] = [];
  for await (const outcome of backend.fetch(refs, patient)) read.push(outcome.path);
  expect(read.sort()).toEqual([...names].sort());
  expect(vault.requests.counts).toEqual({ ListSecrets: 1, BatchGetSecretValue: 3 });
});

test('each secret of a batch has its own outcome', async () => {
  const { connect, vault } = await benchWith(2);
  vault.secrets.put('removed', 'x');
  vault.secrets.remove('removed');
  vault.secrets.put('locked', 'x');
  vault.secrets.setDecryptable('locked', false);
  vault.secrets.createEmpty('empty');
  const denied = {
    effect: 'Deny',
    actions: ['secretsmanager:GetSecretValue'],
    resources: ['*:secret:team/1-??????'],
  } as const;
  const backend = await connect({ auth: staticAuth(vault.identities.createKey('u', [everything, denied])) });
  expect(await fetchAll(backend, ['team/0', 'team/1', 'removed', 'locked', 'empty', 'never', 'no name'])).toEqual(
    new Map([
      ['no name', 'vault_invalid'],
      ['team/0', 'value of team/0'],
      ['team/1', 'vault_forbidden'],
      ['removed', 'vault_deleted'],
      ['locked', 'vault_forbidden'],
      ['empty', 'vault_deleted'],
      ['never', 'vault_not_found'],
    ]),
  );
  expect(vault.requests.counts.BatchGetSecretValue).toBe(1);
});

test('a batch that is too large for one answer is read to its end', async () => {
  const { backend, vault, names } = await benchWith(20, { batchBytes: 100 });
  expect((await fetchAll(backend, names)).size).toBe(20);
  expect(vault.requests.counts.BatchGetSecretValue).toBeGreaterThan(3);
});

test('where batches are forbidden, secrets are read one by one, and batches not tried again', async () => {
  const { connect, vault, names } = await benchWith(45);
  const denied = { effect: 'Deny', actions: ['secretsmanager:BatchGetSecretValue'] } as const;
  const backend = await connect({ auth: staticAuth(vault.identities.createKey('u', [everything, denied])) });
  const refs = await listAll(backend);
  for (let round = 1; round <= 2; round++) {
    const found: string[] = [];
    for await (const outcome of backend.fetch(refs, patient)) if ('reading' in outcome) found.push(outcome.path);
    expect(found.sort()).toEqual([...names].sort());
    expect(vault.requests.counts.GetSecretValue).toBe(45 * round);
  }
  expect(vault.requests.counts.BatchGetSecretValue).toBeLessThanOrEqual(3);
  expect((await failureOf(readOne(backend, 'never'))).code).toBe('vault_not_found');
});

test('a batch that makes no sense is read one by one, so that one secret spoils no other', async () => {
  const { backend, vault, names } = await benchWith(3);
  vault.faults.inject({ effect: { kind: 'cut' }, operation: 'BatchGetSecretValue' });
  expect([...(await fetchAll(backend, names)).values()]).toEqual(names.map((name) => `value of ${name}`));
});

test('a secret that the answer leaves out is invalid, never absent', async () => {
  const { backend, vault } = await benchWith(2);
  vault.faults.inject({
    effect: { kind: 'garbage', body: JSON.stringify({ SecretValues: [], Errors: [] }) },
    operation: 'BatchGetSecretValue',
  });
  expect(await fetchAll(backend, ['team/0'])).toEqual(new Map([['team/0', 'vault_invalid']]));
});

test.for([
  [{ VersionId: 'v1' }, 'vault_invalid'],
  [{ SecretString: 'x' }, 'vault_invalid'],
  [{ VersionId: 'v1', SecretString: 7 }, 'vault_invalid'],
  [{ VersionId: 'v1', SecretString: '\ud800' }, 'vault_invalid'],
  [{ VersionId: 'v1', SecretString: 'x' }, 'x'],
] as const)('an entry with %j is %s', async ([entry, came]) => {
  const { backend, vault } = await benchWith(1);
  const body = JSON.stringify({ SecretValues: [{ Name: 'team/0', ...entry }] });
  vault.faults.inject({ effect: { kind: 'garbage', body }, operation: 'BatchGetSecretValue' });
  expect(await fetchAll(backend, ['team/0'])).toEqual(new Map([['team/0', came]]));
});

test.for([
  ['InternalServiceError', 'vault_unavailable'],
  ['ServiceUnavailable', 'vault_unavailable'],
  ['ThrottlingException', 'vault_throttled'],
] as const)('an entry with %s is asked for by itself, and else is %s', async ([ErrorCode, code]) => {
  const { backend, vault } = await benchWith(2);
  const body = JSON.stringify({ SecretValues: [], Errors: [{ SecretId: 'team/0', ErrorCode, Message: 'canary' }] });
  vault.faults.inject({ effect: { kind: 'garbage', body }, operation: 'BatchGetSecretValue' });
  expect(await fetchAll(backend, ['team/0'])).toEqual(new Map([['team/0', 'value of team/0']]));
  const effect = { kind: 'status', status: 400, body: { __type: ErrorCode, message: 'canary' } } as const;
  vault.faults.inject({ effect, operation: 'GetSecretValue' });
  expect(await fetchAll(backend, ['team/0'])).toEqual(new Map([['team/0', code]]));
});

test('a batch whose pages go in circles ends', async () => {
  const { backend, vault } = await benchWith(2);
  const page = (NextToken: string) =>
    ({ kind: 'garbage', body: JSON.stringify({ SecretValues: [], NextToken }) }) as const;
  for (const token of ['one', 'two', 'one'])
    vault.faults.inject({ effect: page(token), operation: 'BatchGetSecretValue', times: 1 });
  expect((await fetchAll(backend, ['team/0'])).get('team/0')).toBe('vault_invalid');
  expect(vault.requests.counts.BatchGetSecretValue).toBe(3);
});

test('another secret’s answer is not taken for the one that was asked for', async () => {
  const { backend, vault } = await benchWith(1);
  const entry = {
    Name: 'team/other',
    VersionId: 'v1',
    SecretString: 'theirs',
    VersionIdsToStages: { v1: ['AWSCURRENT'] },
  };
  vault.faults.inject({ effect: { kind: 'garbage', body: JSON.stringify(entry) }, operation: 'DescribeSecret' });
  vault.faults.inject({
    effect: { kind: 'garbage', body: JSON.stringify({ SecretValues: [entry] }) },
    operation: 'BatchGetSecretValue',
  });
  expect(await failureOf(backend.confirm('team/0', patient))).toMatchObject({ failureClass: 'invalid' });
  expect(await fetchAll(backend, ['team/0'])).toEqual(new Map([['team/0', 'vault_invalid']]));
});

test('names that look like the end of an ARN mean themselves', async () => {
  const { backend, vault } = await benchWith(0);
  vault.secrets.put('ends', 'short');
  vault.secrets.put('ends-AbC123', 'long');
  expect(await fetchAll(backend, ['ends', 'ends-AbC123'])).toEqual(
    new Map([
      ['ends', 'short'],
      ['ends-AbC123', 'long'],
    ]),
  );
});

test('the form of a value tells its type', async () => {
  const { backend, vault } = await benchWith(0);
  const types = { '{"a":1}': 'application/json', '[1]': 'text/plain', 'sk-1': 'text/plain' };
  for (const [text, type] of Object.entries(types)) {
    vault.secrets.put('a', text);
    expect(await readOne(backend, 'a')).toMatchObject({ contentType: type });
  }
  vault.secrets.put('a', Buffer.from('{"a":1}'));
  const reading = await readOne(backend, 'a');
  expect(reading).toMatchObject({ contentType: 'application/octet-stream' });
  expect(reading.value.reveal().toString()).toBe('{"a":1}');
});

test('tags that can’t be read fail the reading, since one of them may tell its end', async () => {
  const { connect, vault } = await benchWith(1);
  const denied = { effect: 'Deny', actions: ['secretsmanager:DescribeSecret'] } as const;
  const backend = await connect({ auth: staticAuth(vault.identities.createKey('u', [everything, denied])) });
  expect(await failureOf(readOne(backend, 'team/0'))).toMatchObject({ code: 'vault_forbidden' });
});

test('all versions that are kept are listed, and one of them read', async () => {
  const { backend, vault, clock } = await benchWith(0);
  const ids: string[] = [];
  for (let number = 0; number < 101; number++) {
    ids.push(vault.secrets.put('a', `value ${number}`));
    clock.advance(1);
  }
  const versions = await backend.versions('a', patient);
  expect(versions.map(({ version }) => version)).toEqual(ids.slice(1).reverse());
  expect(versions.slice(0, 3).map(({ labels }) => labels)).toEqual([['AWSCURRENT'], ['AWSPREVIOUS'], []]);
  expect((await backend.readVersion('a', ids[50] ?? '', patient)).value.reveal().toString()).toBe('value 50');
  expect(await failureOf(backend.readVersion('a', ids[0] ?? '', patient))).toMatchObject({ code: 'vault_not_found' });
});
