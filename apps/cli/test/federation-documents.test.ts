import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startVaultEmulator, type VaultEmulator } from '@keyferry/emulators';
import { afterAll, expect, test } from 'vitest';
import { type Ended, keyferry } from './support/command-line.ts';
import { startServices } from './support/services.ts';

/**
 * The pages on federation, done as they are written: settings are registered, commands run, requests sent, and answers
 * have what the pages show of them.
 */

const docs = fileURLToPath(new URL('../../../docs/', import.meta.url));
const address = 'https://vault.example.com:8200';
const tokens = ['TEAM_VAULT_TOKEN', 'LEGACY_VAULT_TOKEN', 'VAULT_TOKEN'];

const secrets: Record<string, Record<string, string>> = {
  'app/db/password': { value: 's3cret' },
  'billing/stripe': { value: 'sk-live-1' },
  'prod/shared-keys': { openai_api_key: 'sk-openai', anthropic_api_key: 'sk-ant' },
  'bifrost/providers/openai/key': { value: 'sk-bifrost' },
};

interface Site {
  vault: VaultEmulator;
  command(line: string): Promise<Ended>;
  request(method: string, path: string, body?: string): Promise<{ status: number; body: unknown }>;
}

const open: AsyncDisposableStack[] = [];
afterAll(() => Promise.all(open.map((stack) => stack.disposeAsync())));

async function openSite(): Promise<Site> {
  const cleanup = new AsyncDisposableStack();
  open.push(cleanup);
  const vault = await startVaultEmulator();
  cleanup.defer(() => vault.close());
  vault.mounts.enable('secret', { type: 'kv', version: 2 });
  for (const [path, value] of Object.entries(secrets)) vault.kv('secret').put(path, value);
  const variables = Object.fromEntries(tokens.map((name) => [name, vault.rootToken]));
  const { env } = await startServices(cleanup, { KEYFERRY_ALLOWED_ENV: tokens.join(), ...variables });
  return {
    vault,
    command: (line) => keyferry(wordsOf(line.replaceAll(address, vault.url)), { ...env, PATH: process.env.PATH }),
    async request(method, path, body) {
      const response = await fetch(`${env.KEYFERRY_URL}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${env.KEYFERRY_TOKEN}`,
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body: body.replaceAll(address, vault.url) }),
      });
      const text = await response.text();
      return { status: response.status, body: text ? JSON.parse(text) : null };
    },
  };
}

const wordsOf = (line: string): string[] =>
  [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, single, double, plain]) => single ?? double ?? plain ?? '');

interface Block {
  kind: string;
  text: string;
}

const blocksOf = (page: string): Block[] =>
  [...readFileSync(join(docs, page), 'utf8').matchAll(/```([a-z]+(?: [a-z]+)?)\n(.*?)```/gs)].map(
    ([, kind = '', text = '']) => ({ kind, text: text.trim() }),
  );

/** What a page takes for granted before one of its commands. */
type Before = Record<string, (site: Site) => Promise<void>>;

async function follow(page: string, site: Site, before: Before = {}): Promise<number> {
  let followed = 0;
  let answer: unknown = null;
  for (const { kind, text } of blocksOf(page)) {
    if (kind === 'sh')
      for (const line of text.split('\n')) {
        const command = line.replace(/^npx keyferry /, '').replace('node server.js', 'node --version');
        await before[command]?.(site);
        // A person would be asked.
        const ended = await site.command(command.replace(/^conflicts resolve .*/, '$& --yes'));
        expect(ended.code, `${line}\n${ended.stdout}${ended.stderr}`).toBe(0);
      }
    else if (kind === 'http') {
      const [first = '', ...rest] = text.split('\n');
      const [method = '', path = ''] = first.split(' ');
      const { status, body } = await site.request(method, path, rest.length > 0 ? rest.join('\n') : undefined);
      expect(status, `${first}: ${JSON.stringify(body)}`).toBeLessThan(300);
      answer = body;
    } else if (kind === 'json answer') expect(answer, text).toMatchObject(JSON.parse(text));
    else if (kind === 'json settings') {
      const { status, body } = await site.request('POST', '/v1/federation/backends', text);
      expect(status, JSON.stringify(body)).toBe(201);
    } else continue;
    followed++;
  }
  return followed;
}

async function conflict({ vault, request, command }: Site): Promise<void> {
  const path = '/v1/secrets/external/hashicorp/billing/stripe';
  await command('sync team-vault --wait');
  await request('PATCH', '/v1/federation/backends/team-vault', '{"writes":"local","conflict_policy":"manual"}');
  expect((await request('PUT', path, '{"value":"sk-here"}')).status).toBe(200);
  vault.kv('secret').put('billing/stripe', { value: 'sk-there' });
  await command('sync team-vault --wait');
}

test.each([
  [
    'federation.md',
    {
      'conflicts list team-vault': conflict,
    },
  ],
  ['migrations/vault.md', {}],
  ['migrations/bifrost.md', {}],
  ['migrations/scaivault.md', {}],
] as [string, Before][])(
  '%s can be followed from its first line to its last',
  { timeout: 60_000 },
  async (page, before) => {
    expect(await follow(page, await openSite(), before)).toBeGreaterThan(2);
  },
);

test('references.md can be followed, where a backend has what it names', { timeout: 60_000 }, async () => {
  const site = await openSite();
  const added = await site.command(
    `backend add vault --kind hashicorp --address ${address} --mount secret --token env.VAULT_TOKEN --sync-path prod/*`,
  );
  expect(added.code, added.stderr).toBe(0);
  expect((await site.command('sync vault --wait')).code).toBe(0);
  expect(await follow('references.md', site)).toBeGreaterThan(2);
});
