import { type AzureEmulator, startAzureEmulator } from '@keyferry/emulators';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { azure } from '../src/azure/index.ts';
import { failureOf, patient, readOne, TestClock, testContext } from './support.ts';

// One machine for the whole file: the SDK looks once in a process for where its identity is to be had.
let vault: AzureEmulator;
const clock = new TestClock();

beforeAll(async () => {
  clock.time = Date.now();
  vault = await startAzureEmulator({ now: clock.now });
  vault.secrets.put('a', 'x');
  vi.stubEnv('AZURE_POD_IDENTITY_AUTHORITY_HOST', vault.url);
});

afterAll(async () => {
  vi.unstubAllEnvs();
  await vault.close();
});

async function connect(auth: object) {
  const { context, calls } = testContext(clock);
  const settings = { vault_url: vault.url, auth: { method: 'managed_identity', ...auth } };
  return { backend: await azure.connect(azure.configSchema.parse(settings), context), calls };
}

const asked = () => vault.requests.counts.ManagedIdentityToken ?? 0;

test('a machine without an identity is told so, and one whose metadata service is away is unavailable', async () => {
  const { backend } = await connect({});
  const failure = await failureOf(readOne(backend, 'a'));
  expect(failure).toMatchObject({ failureClass: 'unauthenticated' });
  expect(failure.message).toMatch(/Could not log in as this machine: the credentials are refused \(400\)/);
  await backend.close();
  for (const effect of [{ kind: 'reset' }, { kind: 'status', status: 503, body: '<html>' }] as const) {
    const fault = vault.faults.inject({ operation: 'ManagedIdentityToken', effect });
    const other = await connect({});
    expect(await failureOf(readOne(other.backend, 'a'))).toMatchObject({ failureClass: 'unavailable' });
    expect(fault.hits).toBe(1);
    fault.remove();
    await other.backend.close();
  }
});

test('an identity is the machine’s own, or named by one of its ids, on connection after connection', async () => {
  vault.applications.registerManaged({ byDefault: true });
  const { clientId, objectId, resourceId } = vault.applications.registerManaged();
  // Each connection is closed before the next: what the SDK keeps of one must not be needed by another.
  for (const auth of [{}, { client_id: clientId }, { object_id: objectId }, { resource_id: resourceId }]) {
    const before = asked();
    const { backend, calls } = await connect(auth);
    expect((await readOne(backend, 'a')).value.reveal().toString()).toBe('x');
    expect(calls.login).toBe(2);
    expect(asked(), JSON.stringify(auth)).toBe(before + 1);
    await backend.close();
  }
});

test('an abort ends a login that hangs, for whoever waits for it', async () => {
  const { clientId } = vault.applications.registerManaged();
  const { backend } = await connect({ client_id: clientId });
  const { promise: struck, resolve } = Promise.withResolvers<void>();
  const fault = vault.faults.inject({
    effect: { kind: 'hang' },
    when: ({ operation }) => {
      if (operation === 'ManagedIdentityToken') resolve();
      return operation === 'ManagedIdentityToken';
    },
  });
  const controller = new AbortController();
  const waiting = failureOf(backend.confirm('a', controller.signal));
  await struck;
  controller.abort(new Error('given up'));
  expect((await waiting).message).toBe('given up');
  await backend.close();
  await vi.waitFor(() => expect(vault.openSockets()).toBe(0), { interval: 5 });
  fault.remove();
  const next = await connect({ client_id: clientId });
  expect(await next.backend.confirm('a', patient)).toBe('present');
  await next.backend.close();
});

test('a token that the vault refuses, and the machine gives again, is not tried again', async () => {
  const { clientId } = vault.applications.registerManaged();
  const { backend } = await connect({ client_id: clientId });
  await readOne(backend, 'a');
  clock.advance(10);
  vault.revokeTokens();
  const failure = await failureOf(readOne(backend, 'a'));
  expect(failure.message).toBe('The vault does not accept the token, and no other one can be had yet.');
  const { total } = vault.requests;
  await failureOf(readOne(backend, 'a'));
  expect(vault.requests.total).toBe(total);
  await backend.close();
});
