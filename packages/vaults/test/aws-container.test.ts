import { expect, test } from 'vitest';
import { everything, setVariables, startAwsBench, staticAuth } from './aws-harness.ts';
import { failureOf, fetchAll, patient } from './support.ts';

const nowhere = 'http://127.0.0.1:1';

test('the ARN of any secret tells whose they are, without the token service', async () => {
  const { vault, connect } = await startAwsBench();
  vault.secrets.put('a', 'x');
  vault.secrets.remove('a');
  const probe = await (await connect({ sts_endpoint: nowhere })).probe(patient);
  expect(probe).toMatchObject({ container: 'present', containerId: '111122223333/us-east-1', server: null });
  expect(vault.requests.counts).toEqual({ ListSecrets: 1 });
});

test('where there is no secret, the token service tells it', async () => {
  const { vault, connect } = await startAwsBench();
  const backend = await connect();
  expect(await backend.probe(patient)).toMatchObject({ container: 'present', containerId: '111122223333/us-east-1' });
  expect(vault.requests.counts).toEqual({ ListSecrets: 1, GetCallerIdentity: 1 });
});

test('where nothing tells it, the container is unproven, and nothing absent', async () => {
  const { vault, connect, clock } = await startAwsBench();
  const backend = await connect({ sts_endpoint: nowhere });
  expect(await backend.probe(patient)).toMatchObject({ container: 'unproven', containerId: null });
  expect(await failureOf(backend.confirm('never', patient))).toMatchObject({ code: 'container_unproven' });
  expect((await fetchAll(backend, ['never'])).get('never')).toBe('container_unproven');
  // Asked again after a while alone: each secret that isn't there would ask.
  const asked = vault.requests.counts.ListSecrets;
  await failureOf(backend.confirm('never', patient));
  expect(vault.requests.counts.ListSecrets).toBe(asked);
  vault.secrets.put('a', 'x');
  clock.advance(61);
  expect(await backend.confirm('never', patient)).toBe('absent');
});

test('who may list nothing is told by the token service who it is', async () => {
  const { vault, connect } = await startAwsBench();
  const denied = { effect: 'Deny', actions: ['secretsmanager:ListSecrets'] } as const;
  const backend = await connect({ auth: staticAuth(vault.identities.createKey('u', [everything, denied])) });
  expect(await backend.probe(patient)).toMatchObject({ container: 'present', containerId: '111122223333/us-east-1' });
  expect(await backend.confirm('never', patient)).toBe('absent');
});

test('one look proves the absence of many', async () => {
  const { vault, connect } = await startAwsBench();
  const backend = await connect();
  const names = Array.from({ length: 100 }, (_, index) => `gone/${index}`);
  const presences = await Promise.all(names.map((name) => backend.confirm(name, patient)));
  expect(new Set(presences)).toEqual(new Set(['absent']));
  expect(vault.requests.counts).toEqual({ DescribeSecret: 100, ListSecrets: 1, GetCallerIdentity: 1 });
});

test('credentials that have become another account’s prove no absence', async () => {
  const { vault, connect, clock } = await startAwsBench();
  setVariables({ AWS_EC2_METADATA_SERVICE_ENDPOINT: vault.url });
  const role = (account: string) =>
    vault.identities.createRole('machine', { account, statements: [everything], trust: {} });
  vault.setInstanceRole(role('111122223333'));
  vault.secrets.put('a', 'x');
  const backend = await connect({ auth: { method: 'instance' } });
  expect(await backend.confirm('a', patient)).toBe('present');
  expect(await backend.confirm('never', patient)).toBe('absent');
  vault.setInstanceRole(role('444455556666'));
  clock.advance(6 * 3600);
  expect(await failureOf(backend.confirm('a', patient))).toMatchObject({ code: 'container_mismatch' });
  expect((await fetchAll(backend, ['a'])).get('a')).toBe('container_mismatch');
  expect(await failureOf(backend.remove('a', patient))).toMatchObject({ code: 'container_mismatch' });
});
