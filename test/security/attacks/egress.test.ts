import { generateKeyPairSync } from 'node:crypto';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { createConnectionPool } from '@keyferry/connections';
import { KeyferryError } from '@keyferry/core';
import { createEgressClient, parseEgress, type Resolve } from '@keyferry/egress';
import { startVaultEmulator } from '@keyferry/emulators';
import { builtInVaults } from '@keyferry/vaults';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { startAttacked } from './support/attacked.ts';

/** Whatever a tenant writes as an address: nothing of the operator's network is connected to that the operator did not name. */

let listening: AddressInfo;
let connections = 0;
const bait = createServer((socket) => {
  connections++;
  socket.destroy();
});
beforeAll(async () => {
  await new Promise<void>((resolve) => bait.listen(0, '127.0.0.1', resolve));
  listening = bait.address() as AddressInfo;
});
afterAll(() => {
  bait.close();
  expect(connections).toBe(0);
});

const { privateKey } = generateKeyPairSync('rsa', {
  modulusLength: 2048,
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});
const id = '00000000-0000-4000-8000-000000000000';

/** Settings of each kind with everything at one address. */
const settingsAt: Record<string, (origin: string) => Record<string, unknown>> = {
  hashicorp: (address) => ({ address, allow_http: true, auth: { method: 'token', token: 't' } }),
  aws: (endpoint) => ({
    region: 'eu-central-1',
    endpoint,
    sts_endpoint: endpoint,
    allow_http: true,
    auth: { method: 'static', access_key_id: 'AKIAATTACK', secret_access_key: 'secret' },
  }),
  gcp: (endpoint) => ({
    project_id: 'attacked',
    endpoint,
    allow_http: true,
    auth: {
      method: 'service_account',
      credentials_json: JSON.stringify({
        type: 'service_account',
        client_email: 'a@attacked.iam.gserviceaccount.com',
        private_key: privateKey,
        private_key_id: 'one',
        token_uri: `${endpoint}/token`,
      }),
    },
  }),
  azure: (vault_url) => ({
    vault_url,
    allow_http: true,
    auth: { method: 'client_secret', tenant_id: id, client_id: id, client_secret: 'secret' },
  }),
};

/** What comes of speaking to a vault there. */
async function probe(kind: string, origin: string, allowed = '', resolve?: Resolve): Promise<unknown> {
  const pool = createConnectionPool({
    registry: builtInVaults,
    allowedEnvironment: [],
    environment: {},
    allowedFiles: [],
    allowedIdentities: [],
    allowedVaults: parseEgress(allowed),
    limits: { retryBaseMs: 1, retryMaxMs: 2, deadlineMs: 5_000 },
    ...(resolve && { resolve }),
  });
  onTestFinished(() => pool.close());
  const { signal } = new AbortController();
  const backend = {
    id: kind,
    kind,
    fingerprint: '1',
    keys: { versions: async () => '', read: () => Promise.reject(new Error('no keys')) },
    settings: () => settingsAt[kind]?.(origin),
  };
  try {
    await using connection = await pool.open(backend, signal);
    return await connection.probe(signal);
  } catch (error) {
    return error;
  }
}

function expectRefusal(outcome: unknown, host: string): void {
  expect(outcome).toBeInstanceOf(KeyferryError);
  // Of a class that is not tried again, and never says that something is gone.
  expect(outcome).toMatchObject({ code: 'egress_refused', failureClass: 'invalid' });
  const { message, action } = outcome as KeyferryError;
  expect(message).toContain(`Keyferry does not connect to "${host}"`);
  expect(action).toContain('KEYFERRY_ALLOWED_VAULTS');
}

const kinds = Object.keys(settingsAt);

const literals: [written: string, canonical: string][] = [
  ['127.0.0.1', '127.0.0.1'],
  ['127.1', '127.0.0.1'],
  ['0177.0.0.1', '127.0.0.1'],
  ['0x7f.0.0.1', '127.0.0.1'],
  ['2130706433', '127.0.0.1'],
  ['0', '0.0.0.0'],
  ['169.254.169.254', '169.254.169.254'],
  ['0xa9fea9fe', '169.254.169.254'],
  ['2852039166', '169.254.169.254'],
  ['0251.0376.0251.0376', '169.254.169.254'],
  ['10.0.0.1', '10.0.0.1'],
  ['[::1]', '::1'],
  ['[::]', '::'],
  ['[::ffff:127.0.0.1]', '::ffff:7f00:1'],
  ['[::ffff:169.254.169.254]', '::ffff:a9fe:a9fe'],
  ['[64:ff9b::a9fe:a9fe]', '64:ff9b::a9fe:a9fe'],
  ['[64:ff9b:1::7f00:1]', '64:ff9b:1::7f00:1'],
  ['[2002:a9fe:a9fe::1]', '2002:a9fe:a9fe::1'],
  ['[fd00:ec2::254]', 'fd00:ec2::254'],
  ['[fe80::1]', 'fe80::1'],
];

describe.each(kinds)('a backend of the kind %s', (kind) => {
  test.each(literals)('at %s', async (written, canonical) => {
    for (const scheme of ['https', 'http']) {
      const outcome = await probe(kind, `${scheme}://${written}:${listening.port}`);
      const { message } = outcome as Error;
      // Bracketed or not, as each vault's own code writes it.
      expectRefusal(outcome, message.includes('"[') ? `[${canonical}]` : canonical);
    }
  });

  test('at a name of this machine', async () => {
    expectRefusal(await probe(kind, `https://localhost:${listening.port}`), 'localhost');
  });

  test.each(['127.0.0.1', '169.254.169.254', '10.1.2.3', '::1', '::ffff:127.0.0.1', '64:ff9b::7f00:1'])(
    'at a name that was public when it was looked at, and is %s when it is connected to',
    async (address) => {
      const answers = ['8.8.8.8'];
      const resolve: Resolve = async () => [
        { address: answers.shift() ?? address, family: address.includes(':') && answers.length === 0 ? 6 : 4 },
      ];
      expect((await resolve('rebound.example'))[0]?.address).toBe('8.8.8.8');
      expectRefusal(await probe(kind, `https://rebound.example:${listening.port}`, '', resolve), 'rebound.example');
    },
  );

  test('at a name with several addresses, none of which may be used', async () => {
    const resolve: Resolve = async () =>
      ['127.0.0.1', '169.254.169.254', 'fd00:ec2::254'].map((address) => ({
        address,
        family: address.includes(':') ? 6 : 4,
      }));
    expectRefusal(await probe(kind, `https://several.example:${listening.port}`, '', resolve), 'several.example');
  });

  test('without TLS at a public address that nobody has named', async () => {
    expectRefusal(await probe(kind, 'http://8.8.8.8'), '8.8.8.8');
  });
});

describe('a vault that the operator has named', () => {
  test('is reached, at the address that its name has', async () => {
    const vault = await startVaultEmulator();
    onTestFinished(() => vault.close());
    vault.mounts.enable('secret', { type: 'kv', version: 2 });
    const { port } = new URL(vault.url);
    const resolve: Resolve = async () => [{ address: '127.0.0.1', family: 4 }];
    const outcome = await probe('hashicorp', `http://vault.internal:${port}`, 'vault.internal', resolve);
    expect(outcome).not.toMatchObject({ code: 'egress_refused' });
  });

  test('leads nowhere else once its name does', { timeout: 20_000 }, async () => {
    let asked = 0;
    const server = createHttpServer((_, response) => {
      asked++;
      response.writeHead(503, { connection: 'close' }).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close().closeAllConnections());
    const answers = ['127.0.0.1'];
    const resolve: Resolve = async () => [{ address: answers.shift() ?? '169.254.169.254', family: 4 }];
    const { port } = server.address() as AddressInfo;
    const outcome = await probe('hashicorp', `http://rebound.internal:${port}`, 'rebound.internal', resolve);
    expectRefusal(outcome, 'rebound.internal');
    expect(asked).toBe(1);
  });

  test('is not followed where it sends elsewhere', async () => {
    const server = createHttpServer((_, response) =>
      response.writeHead(307, { location: `http://127.0.0.1:${listening.port}/` }).end(),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close().closeAllConnections());
    const { port } = server.address() as AddressInfo;
    for (const kind of kinds)
      expect(await probe(kind, `http://127.0.0.1:${port}`, '127.0.0.1')).toBeInstanceOf(KeyferryError);
  });
});

describe('a webhook', () => {
  test.each(literals)('at %s', async (written) => {
    const client = createEgressClient({ policy: parseEgress('') });
    onTestFinished(() => client.close());
    for (const scheme of ['https', 'http'])
      await expect(
        client.post(`${scheme}://${written}:${listening.port}/`, {
          headers: {},
          body: '',
          signal: AbortSignal.timeout(5_000),
        }),
      ).rejects.toMatchObject({ code: 'egress_refused' });
  });
});

test('the API says so to whoever tries such a vault, and connects to nothing', { timeout: 60_000 }, async () => {
  await using attacked = await startAttacked({ KEYFERRY_ALLOWED_VAULTS: '10.0.0.0/8' });
  const { status, text } = await attacked.send('POST', `/v1/federation/backends/${attacked.backendId}/test`);
  expect(status, text).toBeLessThan(500);
  expect(text).toContain('egress_refused');
  expect(text).toContain('KEYFERRY_ALLOWED_VAULTS');
});
