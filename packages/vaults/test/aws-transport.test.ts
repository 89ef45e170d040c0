import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { everything, startAwsBench, staticAuth } from './aws-harness.ts';
import { failureOf, listAll, patient, readOne } from './support.ts';

const fixture = (name: string) =>
  readFileSync(new URL(`../../emulators/test/fixtures/${name}.pem`, import.meta.url), 'utf8');

test.for([
  [503, '<html>canary</html>', 'unavailable'],
  [502, '', 'unavailable'],
  [500, { __type: 'InternalServiceError', Message: 'canary' }, 'unavailable'],
  [429, '', 'throttled'],
  [400, { __type: 'ThrottlingException', message: 'canary' }, 'throttled'],
  [400, { __type: 'com.amazon.coral.availability#ThrottlingException' }, 'throttled'],
  [400, { __type: 'AccessDeniedException', Message: 'canary' }, 'forbidden'],
  [403, '<html>canary</html>', 'forbidden'],
  [404, { __type: 'ResourceNotFoundException' }, 'invalid'],
  [404, '<html>canary</html>', 'invalid'],
  [307, '', 'unavailable'],
  [413, '', 'too_large'],
  [400, { __type: 'ValidationException', message: 'canary' }, 'invalid'],
  [400, { __type: 'canary' }, 'invalid'],
] as const)('%i %j is %s', async ([status, body, failureClass]) => {
  const { vault, connect } = await startAwsBench();
  const headers = { location: 'http://canary.example.com/' };
  vault.faults.inject({ effect: { kind: 'status', status, body, headers } });
  const failure = await failureOf((await connect()).confirm('a', patient));
  expect(failure.failureClass).toBe(failureClass);
  expect(failure.message).toMatch(/^Could not describe "a": /);
  expect(failure.message).not.toContain('canary');
  expect(vault.requests.total).toBe(1);
});

test('a machine whose clock is wrong signs right after the first refusal', async () => {
  const { vault, connect, context, clock } = await startAwsBench();
  vault.secrets.put('a', 'x');
  const early = { ...context, now: () => clock.time - 3_600_000 };
  const backend = await connect({}, early);
  await readOne(backend, 'a');
  await listAll(backend);
  expect(vault.requests.all.map(({ status }) => status)).toEqual([400, 200, 200, 200]);
  const role = vault.identities.createRole('r', { statements: [everything], trust: { principals: [vault.account] } });
  await readOne(await connect({ auth: staticAuth(vault.operator, { role_arn: role }) }, early), 'a');
});

test('a machine whose clock stays wrong is told to set it', async () => {
  const { vault, connect } = await startAwsBench();
  const body = { __type: 'InvalidSignatureException', message: 'Signature expired: 2026 is now earlier than 2027' };
  vault.faults.inject({ effect: { kind: 'status', status: 400, body } });
  const failure = await failureOf(readOne(await connect(), 'a'));
  expect(failure).toMatchObject({ code: 'vault_unauthenticated', message: expect.stringContaining('set the clock') });
  expect(vault.requests.total).toBe(2);
});

test('a private authority is trusted when it is set', async () => {
  const tls = { cert: fixture('server'), key: fixture('server-key') };
  const { vault, connect } = await startAwsBench({ tls });
  vault.secrets.put('a', 'x');
  expect((await failureOf(readOne(await connect(), 'a'))).message).toContain('tls.ca_cert');
  await readOne(await connect({ tls: { ca_cert: fixture('ca') } }), 'a');
});

test('redirects are not followed, so that nothing signed goes elsewhere', async () => {
  const asked: string[] = [];
  const elsewhere = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.end('{}');
  });
  await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void elsewhere.close());
  const { vault, connect } = await startAwsBench();
  const location = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/`;
  for (const status of [301, 302, 307, 308]) {
    const fault = vault.faults.inject({ effect: { kind: 'status', status, headers: { location } } });
    expect(await failureOf(readOne(await connect(), 'a'))).toMatchObject({ failureClass: 'unavailable' });
    fault.remove();
  }
  expect(asked).toEqual([]);
});

test('no more sockets are opened than calls may run at a time', async () => {
  const { vault, connect } = await startAwsBench({ latencyMs: 5 });
  const backend = await connect();
  await Promise.all(Array.from({ length: 100 }, (_, index) => backend.confirm(`${index}`, patient)));
  expect(vault.openSockets()).toBeLessThanOrEqual(8);
  await backend.close();
  await expect.poll(() => vault.openSockets()).toBe(0);
});

test('limits that AWS publishes are met as it says them', async () => {
  const { vault, connect, clock } = await startAwsBench();
  vault.setQuota('published');
  const backend = await connect();
  for (let count = 0; count < 100; count++) await listAll(backend);
  expect(await failureOf(listAll(backend))).toMatchObject({ code: 'listing_incomplete', failureClass: 'throttled' });
  clock.advance(1);
  await listAll(backend);
});

test('an answer that is larger than any is not read to its end', async () => {
  const { vault, connect } = await startAwsBench();
  const body = JSON.stringify({ SecretList: [], padding: 'x'.repeat(17 * 1024 * 1024) });
  vault.faults.inject({ effect: { kind: 'garbage', body } });
  expect(await failureOf(listAll(await connect()))).toMatchObject({ failureClass: 'too_large' });
});

test('after it was closed a connection asks nothing any more', async () => {
  const { vault, connect } = await startAwsBench();
  const role = vault.identities.createRole('r', { statements: [everything], trust: { principals: [vault.account] } });
  const warm = await connect();
  await listAll(warm);
  const asked = vault.requests.total;
  for (const backend of [warm, await connect({ auth: staticAuth(vault.operator, { role_arn: role }) })]) {
    await backend.close();
    expect(await failureOf(readOne(backend, 'a'))).toMatchObject({
      failureClass: 'unavailable',
      message: expect.stringContaining('was closed'),
    });
  }
  expect(vault.requests.total).toBe(asked);
});
