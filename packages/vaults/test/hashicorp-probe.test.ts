import { expect, test } from 'vitest';
import { startBench } from './harness.ts';
import { failureOf, fetchAll, listAll, patient } from './support.ts';

test('a probe proves the mount and names the server', async () => {
  const { vault, connect, calls } = await startBench();
  vault.mounts.enable('secret', { type: 'kv', version: 2 });
  const backend = await connect();
  expect(await backend.probe(patient)).toEqual({
    container: 'present',
    containerId: expect.stringMatching(/^[\w-]{36}$/),
    server: '1.20.4',
    latencyMs: 0,
  });
  await listAll(backend);
  expect(calls).toEqual({ login: 1, probe: 2, detect: 1, list: 1 });
});

test('a mount that is made anew is another container, one with other secrets the same', async () => {
  const { vault, connect } = await startBench();
  const kv = vault.mounts.enable('secret', { type: 'kv', version: 2 });
  const backend = await connect();
  const { containerId } = await backend.probe(patient);
  kv.put('a', { value: 'x' });
  expect((await backend.probe(patient)).containerId).toBe(containerId);
  vault.mounts.disable('secret');
  vault.mounts.enable('secret', { type: 'kv', version: 2 });
  expect((await backend.probe(patient)).containerId).not.toBe(containerId);
});

test.for<[string, object, string | null]>([
  ['its accessor where it has no uuid', { accessor: 'kv_1a2b' }, 'kv_1a2b'],
  ['nothing where it tells none', {}, null],
  ['nothing where what it tells is no name', { uuid: '<html>', accessor: 7 }, null],
])('a mount is named by %s', async ([, told, containerId]) => {
  const { vault, connect } = await startBench();
  const data = { path: 'secret/', type: 'kv', options: { version: '2' }, ...told };
  vault.faults.inject({ effect: { kind: 'status', status: 200, body: { data } }, path: 'sys/internal/ui/mounts/*' });
  expect(await (await connect()).probe(patient)).toMatchObject({ container: 'present', containerId });
});

test('a sealed vault says so, whatever is asked', async () => {
  const { vault, connect } = await startBench();
  vault.mounts.enable('secret', { type: 'kv', version: 2 }).put('a', { value: 'x' });
  const backend = await connect();
  await listAll(backend);
  vault.seal();
  const sealed = { code: 'vault_sealed', failureClass: 'unavailable' };
  expect(await failureOf(backend.probe(patient))).toMatchObject(sealed);
  expect(await failureOf(listAll(backend))).toMatchObject(sealed);
  expect(await failureOf(backend.confirm('a', patient))).toMatchObject(sealed);
  expect((await fetchAll(backend, ['a'])).get('a')).toBe('vault_sealed');
  vault.unseal();
  vault.setMode('uninitialized');
  expect(await failureOf(backend.probe(patient))).toMatchObject({ failureClass: 'unavailable' });
});

test('a missing mount, a folder taken for one, and a wrong namespace are told from each other’s absence', async () => {
  const { vault, connect } = await startBench();
  vault.createNamespace('team');
  vault.mounts.enable('secret', { type: 'kv', version: 2 }).put('app/key', { value: 'x' });
  for (const settings of [
    { mount: 'nope' },
    { mount: 'secret/app' },
    { namespace: 'nowhere' },
    { namespace: 'team' },
  ]) {
    const backend = await connect(settings);
    expect(await failureOf(backend.probe(patient))).toMatchObject({ code: 'container_missing' });
  }
});

test('a mount in a namespace is found there', async () => {
  const { vault, connect } = await startBench();
  vault.createNamespace('team');
  vault.mounts.enable('secret', { type: 'kv', version: 2, namespace: 'team' }).put('a', { value: 'x' });
  const backend = await connect({ namespace: 'team/' });
  expect(await backend.probe(patient)).toMatchObject({ container: 'present', server: '1.20.4' });
  expect(await listAll(backend)).toHaveLength(1);
});

test('a configured version that the mount is not is refused', async () => {
  const { vault, connect } = await startBench();
  vault.mounts.enable('secret', { type: 'kv', version: 1 });
  const failure = await failureOf((await connect({ kv_version: 2 })).probe(patient));
  expect(failure).toMatchObject({ code: 'container_mismatch' });
});

test('a mount that a policy hides is unproven, not missing', async () => {
  const { vault, connect } = await startBench();
  vault.mounts.enable('secret', { type: 'kv', version: 2 });
  const token = vault.tokens.create({ policies: [] });
  const backend = await connect({ auth: { method: 'token', token } });
  expect(await backend.probe(patient)).toMatchObject({ container: 'unproven', containerId: null });
});

test('where the vault tells no version, the behaviour of the mount does', async () => {
  for (const version of [1, 2] as const) {
    const { vault, connect } = await startBench();
    vault.mounts.enable('secret', { type: 'kv', version }).put('a', { value: 'x' });
    vault.faults.inject({
      effect: { kind: 'status', status: 403, body: { errors: ['permission denied'] } },
      path: 'sys/internal/ui/mounts/*',
    });
    const backend = await connect();
    expect(await backend.probe(patient)).toMatchObject({ container: 'present' });
    expect((await listAll(backend))[0]?.version).toBe(version === 2 ? '1' : null);
    const missing = await connect({ mount: 'nope' });
    expect(await failureOf(missing.probe(patient))).toMatchObject({ code: 'container_missing' });
  }
});

test('a vault whose health is hidden is reached all the same', async () => {
  const { vault, connect } = await startBench();
  vault.mounts.enable('secret', { type: 'kv', version: 2 });
  vault.faults.inject({ effect: { kind: 'status', status: 403, body: 'no' }, path: 'sys/health' });
  expect(await (await connect()).probe(patient)).toMatchObject({ container: 'present', server: null });
});

test('an address where nothing listens, and one that is no vault, say so', async () => {
  const { vault, connect } = await startBench();
  const backend = await connect();
  vault.faults.inject({ effect: { kind: 'garbage', body: '<html>hello</html>' } });
  expect(await failureOf(backend.probe(patient))).toMatchObject({ code: 'vault_invalid' });
  await vault.close();
  const refused = await failureOf((await connect()).probe(patient));
  expect(refused).toMatchObject({ code: 'vault_unavailable' });
  expect(refused.message).toContain('refused');
});

test('no text of the vault’s own is shown', async () => {
  const { vault, connect } = await startBench();
  vault.mounts.enable('secret', { type: 'kv', version: 2 });
  const give = (path: string, body: object) =>
    vault.faults.inject({ effect: { kind: 'garbage', body: JSON.stringify(body) }, path });
  for (const version of ['canary text', '<b>canary</b>', 'c'.repeat(65)]) {
    const health = give('sys/health', { initialized: true, sealed: false, version });
    expect(await (await connect()).probe(patient)).toMatchObject({ container: 'present', server: null });
    health.remove();
  }
  give('sys/internal/ui/mounts/*', { data: { type: 'kv', path: 'canary/', options: { version: '2' } } });
  const failure = await failureOf((await connect()).probe(patient));
  expect(failure).toMatchObject({ code: 'container_missing' });
  expect(failure.message).not.toContain('canary');
});
