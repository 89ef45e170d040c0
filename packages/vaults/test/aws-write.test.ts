import { randomUUID } from 'node:crypto';
import { SecretValue } from '@keyferry/core';
import { expect, test } from 'vitest';
import type { PutOptions, VaultBackend } from '../src/index.ts';
import { everything, startAwsBench, staticAuth } from './aws-harness.ts';
import { failureOf, listAll, patient } from './support.ts';

const kmsKey = 'alias/team/secrets';

async function bench(settings: Record<string, unknown> = {}) {
  const { vault, connect, ...rest } = await startAwsBench();
  return { ...rest, vault, connect, backend: await connect(settings) };
}

function put(backend: VaultBackend, path: string, value: string | Buffer, options: Partial<PutOptions> = {}) {
  const secret = typeof value === 'string' ? SecretValue.fromText(value) : new SecretValue(value);
  return backend.put(path, secret, { idempotencyKey: randomUUID(), ...options }, patient);
}

const bytes = Buffer.from([0xff, 0x00]);

test('a secret is created with the settings’ key and with tags, its version the key of the write', async () => {
  const { vault, backend } = await bench({ kms_key_id: kmsKey });
  const idempotencyKey = randomUUID();
  const written = await put(backend, 'a', 'x', { idempotencyKey, metadata: { owner: 'search' } });
  expect(written.version).toBe(idempotencyKey);
  expect(vault.secrets.get('a')).toMatchObject({ kmsKeyId: kmsKey, tags: { owner: 'search' }, value: 'x' });
  const [ref] = await listAll(backend);
  expect(written.revision).toBe(ref?.revision);
  expect(vault.requests.counts).toMatchObject({ DescribeSecret: 1, CreateSecret: 1 });
});

test('text is kept as text and other bytes as bytes, and a secret keeps its form', async () => {
  const { vault, backend } = await bench();
  await put(backend, 'text', 'x');
  await put(backend, 'bytes', bytes);
  await put(backend, 'nul', 'a\u0000b');
  expect(['text', 'bytes', 'nul'].map((name) => typeof vault.secrets.get(name)?.value)).toEqual([
    'string',
    'object',
    'object',
  ]);
  await put(backend, 'text', 'y');
  await put(backend, 'bytes', 'now text');
  expect(vault.secrets.get('text')?.value).toBe('y');
  expect(vault.secrets.get('bytes')?.value).toEqual(Buffer.from('now text'));
  await put(backend, 'text', bytes);
  expect(vault.secrets.get('text')?.value).toEqual(bytes);
});

test('who may not read writes text', async () => {
  const { vault, connect } = await bench();
  vault.secrets.put('a', bytes);
  const denied = { effect: 'Deny', actions: ['secretsmanager:GetSecretValue'] } as const;
  const backend = await connect({ auth: staticAuth(vault.identities.createKey('u', [everything, denied])) });
  await put(backend, 'a', 'x');
  expect(vault.secrets.get('a')?.value).toBe('x');
});

test('a secret that is scheduled for deletion is restored before it is written, and keeps its tags', async () => {
  const { vault, backend } = await bench();
  vault.secrets.put('a', 'before', { tags: { owner: 'search' } });
  vault.secrets.remove('a');
  const written = await put(backend, 'a', 'after', { expectedVersion: null, metadata: { owner: 'billing' } });
  expect(vault.secrets.get('a')).toMatchObject({ value: 'after', deletesAt: null, tags: { owner: 'search' } });
  expect((await listAll(backend))[0]?.revision).toBe(written.revision);
});

test('the version of a secret that is scheduled for deletion is not the expected one any more', async () => {
  const { vault, backend } = await bench();
  const expectedVersion = vault.secrets.put('a', 'before');
  vault.secrets.remove('a');
  expect(await failureOf(put(backend, 'a', 'after', { expectedVersion }))).toMatchObject({ code: 'vault_conflict' });
  expect(vault.secrets.get('a')?.deletesAt).not.toBeNull();
});

test('a secret that has a name and no value is given one', async () => {
  const { vault, backend } = await bench();
  vault.secrets.createEmpty('a');
  await put(backend, 'a', 'x', { expectedVersion: null });
  expect(vault.secrets.get('a')?.value).toBe('x');
});

test('the same write sent again is made once, also after a later one', async () => {
  const { vault, backend } = await bench();
  const once = { idempotencyKey: randomUUID(), expectedVersion: null };
  const first = await put(backend, 'a', 'x', once);
  expect(await put(backend, 'a', 'x', once)).toEqual(first);
  const later = vault.secrets.put('a', 'y');
  expect(await put(backend, 'a', 'x', once)).toEqual({ version: first.version, revision: null });
  expect(vault.secrets.get('a')).toMatchObject({ versionId: later, value: 'y' });
  const reused = put(backend, 'a', 'another value', { idempotencyKey: once.idempotencyKey });
  expect(await failureOf(reused)).toMatchObject({ code: 'vault_conflict' });
});

test('a secret that somebody creates meanwhile is replaced or a conflict, as was asked', async () => {
  const { vault, backend } = await bench();
  const meanwhile = (path: string) => {
    vault.faults.inject({
      effect: { kind: 'slow', delayMs: 0 },
      operation: 'CreateSecret',
      times: 1,
      when: () => vault.secrets.put(path, 'theirs') !== '',
    });
  };
  meanwhile('a');
  expect(await put(backend, 'a', 'ours')).toMatchObject({ revision: null });
  expect(vault.secrets.get('a')?.value).toBe('ours');
  meanwhile('b');
  expect(await failureOf(put(backend, 'b', 'ours', { expectedVersion: null }))).toMatchObject({
    code: 'vault_conflict',
  });
  expect(vault.secrets.get('b')?.value).toBe('theirs');
});

test.for([
  ['too many tags', Object.fromEntries(Array.from({ length: 51 }, (_, index) => [`k${index}`, 'v']))],
  ['a tag without a name', { '': 'v' }],
  ['a tag of AWS’s own', { 'aws:owner': 'v' }],
  ['a name that is too long', { ['k'.repeat(129)]: 'v' }],
  ['a value that is too long', { k: 'v'.repeat(257) }],
  ['a character that tags have not', { k: 'a#b' }],
] as const)('%s is refused before anything is sent', async ([, metadata]) => {
  const { vault, backend } = await bench();
  expect(await failureOf(put(backend, 'a', 'x', { metadata }))).toMatchObject({ failureClass: 'invalid' });
  expect(vault.requests.total).toBe(0);
});

test('a name that is kept for AWS’s own services is read and not written', async () => {
  const { vault, backend } = await bench();
  vault.secrets.put('rds!cluster-1', 'x');
  expect(await backend.confirm('rds!cluster-1', patient)).toBe('present');
  expect(await failureOf(put(backend, 'rds!cluster-1', 'y'))).toMatchObject({ failureClass: 'invalid' });
});

test('a removal can be undone for as many days as the settings say', async () => {
  const { vault, backend, clock } = await bench({ recovery_window_days: 7 });
  vault.secrets.put('a', 'x');
  await backend.remove('a', patient);
  clock.advance(6.9 * 86_400);
  expect(await backend.confirm('a', patient)).toBe('deleted');
  await backend.remove('a', patient);
  clock.advance(0.2 * 86_400);
  expect(await backend.confirm('a', patient)).toBe('absent');
  expect(await failureOf(backend.restore('a', patient))).toMatchObject({ code: 'vault_not_found' });
});

test('a KMS key that can’t be used, and a quota that is met, are said to be so', async () => {
  const { vault, backend } = await bench();
  for (const [code, failureClass, told] of [
    ['EncryptionFailure', 'forbidden', 'check kms_key_id'],
    ['LimitExceededException', 'invalid', 'exceed a quota'],
    ['InvalidRequestException', 'invalid', 'another service manages it'],
  ] as const) {
    const fault = vault.faults.inject({
      effect: { kind: 'status', status: 400, body: { __type: code, Message: 'canary' } },
      operation: 'CreateSecret',
    });
    // Each of another name, since what the fault hides has happened.
    const failure = await failureOf(put(backend, code, 'x'));
    expect(failure).toMatchObject({ failureClass, message: expect.stringContaining(told) });
    fault.remove();
  }
});
