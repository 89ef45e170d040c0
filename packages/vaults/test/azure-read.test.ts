import { expect, test } from 'vitest';
import { startBench } from './azure-bench.ts';
import { failureOf, listAll, patient, readOne } from './support.ts';

test('what was written in the last three seconds of the vault’s clock has no revision yet, listed or read', async () => {
  const { vault, clock, connect } = await startBench();
  const backend = await connect();
  clock.advance(0.9);
  vault.secrets.put('a', 'one');
  const revisions = async () => [(await listAll(backend))[0]?.revision, (await readOne(backend, 'a')).revision];
  expect(await revisions()).toEqual([null, null]);
  // The second writing in the same second looks like the first one: only reading again shows it.
  vault.secrets.put('a', 'two');
  expect((await readOne(backend, 'a')).value.reveal().toString()).toBe('two');
  clock.advance(2);
  expect(await revisions()).toEqual([null, null]);
  clock.advance(0.1);
  const [listed, read] = await revisions();
  expect(listed).toMatch(/^\d+\./);
  expect(read).toBe(listed);
});

test('the vault’s own clock counts for that, whatever ours says', async () => {
  const { vault, clock, connect, context } = await startBench();
  vault.secrets.put('a', 'x');
  const ours = (offsetMs: number) => ({ ...context, now: () => clock.time + offsetMs });
  for (const offset of [-3_600_000, 3_600_000])
    expect((await readOne(await connect({}, ours(offset)), 'a')).revision).toBeNull();
  clock.advance(3);
  for (const offset of [-3_600_000, 3_600_000])
    expect((await readOne(await connect({}, ours(offset)), 'a')).revision).not.toBeNull();
});

test('a revision changes with whatever belongs to the secret, and with nothing else', async () => {
  const { vault, clock, connect } = await startBench();
  const backend = await connect();
  vault.secrets.put('a', 'x', { tags: { one: '1', two: '2' } });
  const revision = async () => {
    clock.advance(10);
    return (await listAll(backend))[0]?.revision ?? '';
  };
  const first = await revision();
  expect(await revision()).toBe(first);
  // Without the time in front, which every change moves.
  const fingerprints = new Set([first.split('.')[1]]);
  const changes = [
    { tags: { one: '1', two: '3' } },
    { contentType: 'text/x' },
    { enabled: false },
    { expires: 4_102_444_800 },
    { notBefore: 1_000 },
  ];
  for (const change of changes) {
    vault.secrets.update('a', change);
    fingerprints.add((await revision()).split('.')[1]);
  }
  expect(fingerprints.size).toBe(changes.length + 1);
});

test('ends come right beyond 2038, and the earlier of the vault’s and the tag’s counts', async () => {
  const { vault, connect } = await startBench();
  const ends: [string, object, string | null][] = [
    ['far', { expires: new Date('2099-12-31T23:59:59Z') }, '2099-12-31T23:59:59.000Z'],
    ['tag', { tags: { expires_at: '2061-07-28' } }, '2061-07-28T00:00:00.000Z'],
    ['both', { expires: new Date('2050-01-01'), tags: { expires_at: '2049-01-01' } }, '2049-01-01T00:00:00.000Z'],
    ['sooner', { expires: new Date('2040-01-01'), tags: { expires_at: '2049-01-01' } }, '2040-01-01T00:00:00.000Z'],
    ['beyond', { expires: new Date(253_402_300_800_000) }, null],
    ['zero', { expires: new Date(0) }, null],
    ['words', { tags: { expires_at: 'next spring' } }, null],
  ];
  for (const [name, options] of ends) vault.secrets.put(name, 'x', options);
  const backend = await connect();
  for (const [name, , expected] of ends)
    expect((await readOne(backend, name)).expiresAt?.toISOString() ?? null, name).toBe(expected);
});

test('a reading has the content type, the tags and the time of its version; its begin is no matter of ours', async () => {
  const { vault, clock, connect } = await startBench();
  vault.secrets.put('a', '{"k":1}', {
    contentType: 'application/json',
    tags: { type: 'json' },
    notBefore: new Date('2090-01-01'),
  });
  vault.secrets.put('b', 'x');
  const backend = await connect();
  expect(await readOne(backend, 'a')).toMatchObject({
    contentType: 'application/json',
    metadata: { type: 'json' },
    createdAt: new Date(clock.time),
    version: vault.secrets.get('a')?.id,
  });
  expect(await readOne(backend, 'b')).toMatchObject({ contentType: 'text/plain', metadata: {} });
});

test('a certificate’s secret is carried like any other, with the type that tells it', async () => {
  const { vault, connect } = await startBench();
  vault.secrets.put('tls', 'pem text', { managed: true, contentType: 'application/x-pem-file' });
  const backend = await connect();
  expect(await listAll(backend)).toMatchObject([{ path: 'tls' }]);
  expect(await readOne(backend, 'tls')).toMatchObject({ contentType: 'application/x-pem-file' });
});

test('disabled, forbidden, kept out by the firewall and absent are told apart', async () => {
  const { vault, connect } = await startBench();
  vault.secrets.put('a', 'x');
  const backend = await connect();
  const body = (innerCode: string | null, message = 'canary') => ({
    error: { code: 'Forbidden', message, ...(innerCode !== null && { innererror: { code: innerCode } }) },
  });
  const cases: [object, string, RegExp][] = [
    [body('SecretDisabled'), 'disabled', /it is disabled in the vault/],
    [body(null, 'Operation get is not allowed on a disabled secret.'), 'disabled', /disabled/],
    [body('ForbiddenByRbac', 'not allowed on a disabled secret'), 'forbidden', /permission denied/],
    [body('ForbiddenByPolicy'), 'forbidden', /permission denied/],
    [body('AccessDenied'), 'forbidden', /permission denied/],
    [body('ForbiddenByFirewall'), 'forbidden', /firewall does not let this machine’s address in/],
    [body(null), 'forbidden', /permission denied/],
  ];
  for (const [said, failureClass, expected] of cases) {
    const fault = vault.faults.inject({ operation: 'GetSecret', effect: { kind: 'status', status: 403, body: said } });
    const failure = await failureOf(readOne(backend, 'a'));
    expect(failure, JSON.stringify(said)).toMatchObject({ failureClass });
    expect(failure.message).toMatch(expected);
    expect(failure.message).not.toContain('canary');
    const presence = await backend.confirm('a', patient).catch((error) => error.failureClass);
    expect(presence).toBe(failureClass === 'disabled' ? 'present' : 'forbidden');
    fault.remove();
  }
});

test('only the vault’s own word for it is absence', async () => {
  const { vault, connect } = await startBench();
  vault.secrets.put('a', 'x');
  const backend = await connect();
  const bodies = [
    { error: { code: 'NotFoundException', message: 'disabled' } },
    { error: { code: 'VaultNotFound' } },
    { error: { code: 'NotFound', innererror: { code: 'SecretNotFound' } } },
    { code: 'SecretNotFound' },
    '<html>SecretNotFound</html>',
  ];
  for (const body of bodies) {
    const fault = vault.faults.inject({ operation: 'GetSecret', effect: { kind: 'status', status: 404, body } });
    expect(await failureOf(backend.confirm('a', patient)), JSON.stringify(body)).toMatchObject({
      failureClass: 'invalid',
    });
    fault.remove();
  }
});

test('absence is proven by a look into the vault, deletion by the deleted secret itself', async () => {
  const { vault, connect, calls } = await startBench();
  for (const name of ['deleted', 'gone']) vault.secrets.put(name, 'x');
  vault.secrets.delete('deleted');
  const backend = await connect();
  expect(await backend.confirm('deleted', patient)).toBe('deleted');
  expect(calls.detect ?? 0).toBe(0);
  vault.secrets.purge('gone');
  expect(await backend.confirm('gone', patient)).toBe('absent');
  expect(calls.detect).toBe(1);
  expect(await failureOf(readOne(backend, 'deleted'))).toMatchObject({ code: 'vault_deleted' });
  expect(await failureOf(readOne(backend, 'gone'))).toMatchObject({ code: 'vault_not_found' });
});

test('who may not see deleted secrets proves absence all the same, and who may not list proves nothing', async () => {
  const { vault, connect } = await startBench();
  const backend = await connect();
  const forbidden = {
    kind: 'status',
    status: 403,
    body: { error: { code: 'Forbidden', innererror: { code: 'ForbiddenByRbac' } } },
  } as const;
  vault.faults.inject({ operation: 'GetDeletedSecret', effect: forbidden });
  expect(await backend.confirm('never', patient)).toBe('absent');
  vault.faults.inject({ operation: 'GetSecrets', effect: forbidden });
  expect(await failureOf(backend.confirm('never', patient))).toMatchObject({
    code: 'container_unproven',
    failureClass: 'invalid',
  });
});

test('an answer about another secret, or without a version or value, is none', async () => {
  const { vault, connect } = await startBench();
  vault.secrets.put('a', 'x');
  const backend = await connect();
  const id = (name: string, version = `/${'0'.repeat(32)}`) => `${vault.url}/secrets/${name}${version}`;
  const bodies = [
    { id: id('b'), value: 'canary', attributes: {} },
    { id: id('a', ''), value: 'canary', attributes: {} },
    { id: id('a'), attributes: {} },
    { id: id('a'), value: { canary: 1 }, attributes: {} },
    { value: 'canary' },
    null,
  ];
  for (const body of bodies) {
    const effect = { kind: 'garbage', body: JSON.stringify(body) } as const;
    const fault = vault.faults.inject({ operation: 'GetSecret', effect });
    expect(await failureOf(readOne(backend, 'a')), JSON.stringify(body)).toMatchObject({ failureClass: 'invalid' });
    fault.remove();
  }
});
