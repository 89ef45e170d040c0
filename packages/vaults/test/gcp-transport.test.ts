import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { expect, onTestFinished, test, vi } from 'vitest';
import { answering, startBench } from './gcp-bench.ts';
import { failureOf, listAll, patient, readOne } from './support.ts';

/** Of a certificate for 127.0.0.1. */
const pem = (name: string) =>
  readFileSync(new URL(`../../emulators/test/fixtures/${name}.pem`, import.meta.url), 'utf8');
const tls = { cert: pem('server'), key: pem('server-key') };

test('an authority of one’s own is trusted for the vault and for whoever gives its tokens', async () => {
  const { vault, secrets, connect } = await startBench({ tls });
  secrets.put('a', 'x');
  const unknown = await failureOf((await connect()).probe(patient));
  expect(unknown).toMatchObject({ failureClass: 'unavailable', message: expect.stringContaining('tls.ca_cert') });
  const trusted = await connect({ tls: { ca_cert: pem('ca') } });
  expect((await readOne(trusted, 'a')).version).toBe('1');
  expect(vault.url).toMatch(/^https:/);
});

test('the environment does not decide that certificates are not looked at', async () => {
  vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
  onTestFinished(() => void vi.unstubAllEnvs());
  const { connect } = await startBench({ tls });
  expect(await failureOf((await connect()).probe(patient))).toMatchObject({ failureClass: 'unavailable' });
});

test('a redirect is not followed, so that the token goes nowhere else', async () => {
  const heard: string[] = [];
  const stranger = createServer((request, response) => {
    heard.push(String(request.headers.authorization));
    response.end('{}');
  });
  await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void stranger.close());
  const { vault, secrets, connect } = await startBench();
  secrets.put('a', 'x');
  const location = `http://127.0.0.1:${(stranger.address() as AddressInfo).port}/`;
  const backend = await connect();
  for (const operation of ['Token', 'AccessSecretVersion', 'ListSecrets']) {
    const fault = vault.faults.inject({ operation, effect: { kind: 'status', status: 302, headers: { location } } });
    const asked = operation === 'ListSecrets' ? listAll(backend) : readOne(backend, 'a');
    expect(await failureOf(asked), operation).toMatchObject({ failureClass: 'unavailable' });
    expect(fault.hits).toBe(1);
    fault.remove();
  }
  expect(heard).toEqual([]);
});

test('where nothing listens, it says so', async () => {
  const { vault, connect } = await startBench();
  const backend = await connect();
  await vault.close();
  expect((await failureOf(backend.probe(patient))).message).toContain('refused');
});

test('requests go over a few sockets that are kept, and closing leaves none', async () => {
  const { vault, secrets, connect } = await startBench();
  secrets.seed(200, (index) => ({ id: `s${index}`, value: 'x' }));
  const backend = await connect();
  const refs = await listAll(backend);
  for await (const outcome of backend.fetch(refs, patient)) expect(outcome).toHaveProperty('reading');
  expect(vault.openSockets()).toBeLessThanOrEqual(8);
  await backend.close();
  await vi.waitFor(() => expect(vault.openSockets()).toBe(0));
});

test('closing ends what is under way', async () => {
  const { vault, secrets, connect } = await startBench();
  secrets.put('a', 'x');
  const backend = await connect();
  await readOne(backend, 'a');
  const fault = vault.faults.inject({ effect: { kind: 'hang' } });
  const failure = failureOf(readOne(backend, 'a'));
  await vi.waitFor(() => expect(fault.hits).toBe(1));
  await backend.close();
  expect(await failure).toMatchObject({ failureClass: 'unavailable' });
});

test.for<[number, string | object, string]>([
  [400, { error: { code: 400, status: 'INVALID_ARGUMENT', message: 'canary' } }, 'invalid'],
  [400, { error: { code: 400, status: 'FAILED_PRECONDITION', message: 'canary' } }, 'invalid'],
  [403, '<html>canary</html>', 'forbidden'],
  [404, '<html>canary</html>', 'invalid'],
  [404, { error: 'canary' }, 'invalid'],
  [403, { error: { code: 403, status: 'RESOURCE_EXHAUSTED', message: 'canary' } }, 'throttled'],
  [429, 'canary', 'throttled'],
  [408, '', 'timeout'],
  [413, 'canary', 'too_large'],
  [500, { error: { code: 500, status: 'INTERNAL', message: 'canary' } }, 'unavailable'],
  [502, '<html>canary</html>', 'unavailable'],
  [504, { error: { code: 504, status: 'DEADLINE_EXCEEDED', message: 'canary' } }, 'timeout'],
  [204, '', 'invalid'],
])('an answer of %i with %o is %s, and its words are not shown', async ([status, body, failureClass]) => {
  const { vault, secrets, connect } = await startBench();
  secrets.put('a', 'x');
  const backend = await connect();
  await readOne(backend, 'a');
  vault.faults.inject({ operation: 'AccessSecretVersion', effect: { kind: 'status', status, body } });
  const failure = await failureOf(readOne(backend, 'a'));
  expect(failure).toMatchObject({ failureClass });
  expect(inspect(failure, { depth: 10, showHidden: true }) + JSON.stringify(failure)).not.toContain('canary');
});

test('an answer without end is left, and the connection with it', async () => {
  const { vault, secrets, connect } = await startBench();
  secrets.put('a', 'x');
  const backend = await connect();
  vault.faults.inject({ operation: 'AccessSecretVersion', effect: answering({ canary: 'x'.repeat(2_000_000) }) });
  expect(await failureOf(readOne(backend, 'a'))).toMatchObject({ code: 'vault_too_large' });
});
