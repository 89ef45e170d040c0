import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type SpawnedEmulator, type SpawnOptions, spawnEmulator } from '../src/index.ts';

async function spawnVault(options: SpawnOptions): Promise<SpawnedEmulator<'azure'>> {
  const vault = await spawnEmulator('azure', options);
  onTestFinished(() => vault.stop());
  return vault;
}

/** Logs in as the process has told, trusting nothing but what it has told. */
async function namesIn({ url, credentials }: SpawnedEmulator<'azure'>): Promise<string[]> {
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    scope: `${url}/.default`,
    client_id: credentials.client_id ?? '',
    client_secret: credentials.client_secret ?? '',
  });
  const text = await new Promise<string>((resolve, reject) => {
    const sent = request(
      `${credentials.authority_host}/${credentials.tenant_id}/oauth2/v2.0/token`,
      {
        method: 'POST',
        ca: credentials.ca_cert,
        agent: false,
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      },
      (message) => {
        let received = '';
        message.setEncoding('utf8').on('data', (chunk) => {
          received += chunk;
        });
        message.on('end', () => resolve(received));
      },
    );
    sent.on('error', reject).end(form.toString());
  });
  const { access_token } = JSON.parse(text);
  const response = await fetch(`${url}/secrets?api-version=7.4`, {
    headers: { authorization: `Bearer ${access_token}` },
  });
  const { value } = (await response.json()) as { value: { id: string }[] };
  return value.map(({ id }) => id.split('/').at(-1) ?? '');
}

test('a process tells all that a client needs, and is controlled from outside', async () => {
  const vault = await spawnVault({ seed: 12 });
  expect(vault.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  expect(vault.credentials).toMatchObject({
    authority_host: expect.stringMatching(/^https:\/\/127\.0\.0\.1:\d+$/),
    ca_cert: expect.stringContaining('BEGIN CERTIFICATE'),
  });
  const names = await namesIn(vault);
  expect(names).toHaveLength(12);
  expect(names[7]).toBe('bifrost--group-0007--key-0000007');
  expect((await vault.control('change', { share: 0.5 })).changed).toHaveLength(6);
  const { id } = await vault.control('fault', {
    operation: 'Token',
    effect: { kind: 'status', status: 503, body: '{}' },
  });
  await expect(namesIn(vault)).rejects.toThrow();
  expect(await vault.control('faultHits', { id })).toEqual({ hits: 1 });
});

test('the demo’s secrets are below demo', async () => {
  const names = await namesIn(await spawnVault({ demo: true }));
  expect(names.length).toBeGreaterThan(5);
  for (const name of names) expect(name).toMatch(/^demo--/);
});

test('with a state file secrets, credentials, certificate and both addresses outlive the process', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'azure-emulator-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const stateFile = join(folder, 'state.json');
  const first = await spawnVault({ demo: true, stateFile });
  const before = await namesIn(first);
  await first.stop();
  expect(statSync(stateFile).mode & 0o777).toBe(0o600);
  const second = await spawnVault({ stateFile, port: Number(new URL(first.url).port) });
  expect({ url: second.url, credentials: second.credentials }).toEqual({
    url: first.url,
    credentials: first.credentials,
  });
  expect(await namesIn(second)).toEqual(before);
});
