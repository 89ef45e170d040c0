import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { freePort } from '@keyferry/embedded';
import { startVaultEmulator, type VaultEmulator } from '@keyferry/emulators';
import type { TestDatabase } from '@keyferry/testing/support/database.ts';
import { redisUrl } from '@keyferry/testing/support/redis.ts';
import type { Command } from 'commander';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createProgram } from '../src/program.ts';
import { document, type Ended, keyferry, startKeyferry } from './support/command-line.ts';
import { masterKey, startServices } from './support/services.ts';
import { newTeam, optionsOf } from './support/team.ts';

const cleanup = new AsyncDisposableStack();
let database: TestDatabase;
let vault: VaultEmulator;
let env: NodeJS.ProcessEnv;
let folder: string;

beforeAll(async () => {
  vault = await startVaultEmulator();
  cleanup.defer(() => vault.close());
  ({ database, env, folder } = await startServices(cleanup, { KEYFERRY_FIRST_RETRY_MS: '1' }));
});

afterAll(() => cleanup.disposeAsync());

/** Each test has a mount and a backend of its own. */
let name: string;
beforeEach(() => {
  name = newTeam(vault);
});

const cli = (...args: string[]) => keyferry(args, env);
const put = (path: string, value = 'not-a-key') => vault.kv(name).put(`${name}/${path}`, { value });
const addBackend = (...more: string[]) => cli('backend', 'add', name, ...optionsOf(vault, name), ...more);

describe('a backend', () => {
  test('is added with a token from standard input, tested, synced and shown, and the token is never shown', async () => {
    put('openai');
    put('anthropic');
    const secret = vault.tokens.create({ policies: ['root'] });
    const all: Ended[] = [];
    const ok = async (ended: Promise<Ended>) => {
      const done = await ended;
      expect(done).toMatchObject({ code: 0 });
      all.push(done);
      return done.stdout;
    };
    const adding = ['backend', 'add', name, '--address', vault.url, '--mount', name, '--sync-path', `${name}/*`];
    await ok(keyferry([...adding, '--token', '-'], env, `${secret}\n`));
    expect(await ok(cli('backend', 'test', name))).toMatch(/its container \(.+\) is there/);
    expect(await ok(cli('sync', name, '--wait'))).toContain(`${name}: completed in`);
    expect(await ok(cli('backend', 'list'))).toMatch(new RegExp(`${name} +hashicorp +healthy +2`));
    expect(await ok(cli('backend', 'show', name))).toMatch(/keys +2 active/);
    expect(await ok(cli('keys', 'list', '--backend', name))).toMatch(new RegExp(`${name}/openai +active +opaque +1`));
    expect(await ok(cli('keys', 'show', `${name}/openai`))).toMatch(/remote version +1/);
    expect(await ok(cli('cycles', 'list', '--backend', name))).toContain('2 discovered: 2 added');
    expect(JSON.stringify(all)).not.toContain(secret);
  });

  test('is changed by what is named alone, and removed with its keys only if that is said', async () => {
    put('a');
    await addBackend();
    await cli('sync', name, '--wait');
    await cli('backend', 'update', name, '--interval', '2h', '--exclude-path', `${name}/tmp/*`);
    expect(document(await cli('backend', 'show', name, '--json'))).toMatchObject({
      sync_interval: '2h',
      exclude_paths: [`${name}/tmp/*`],
      sync_paths: [`${name}/*`],
      config: { mount: name },
    });
    expect(await cli('backend', 'remove', name)).toMatchObject({ code: 2, stdout: '' });
    const refused = await cli('backend', 'remove', name, '--yes');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('(backend_has_keys)');
    expect(document(await cli('backend', 'remove', name, '--yes', '--archive-keys', '--json'))).toMatchObject({
      name,
      archived_keys: 1,
    });
  });

  test('takes its settings from a document, with options winning over it', async () => {
    const settings = { config: { address: vault.url, mount: name }, sync_interval: '1h', prefix: name };
    const file = join(folder, 'settings.json');
    writeFileSync(file, JSON.stringify(settings));
    const args = ['backend', 'add', name, '--config', file, '--interval', '30m', '--token', vault.rootToken, '--json'];
    expect(document(await cli(...args))).toMatchObject({ sync_interval: '30m', prefix: name, kind: 'hashicorp' });
  });
});

describe('what goes wrong', () => {
  test('a cycle that fails ends with exit code 1, is listed as failed work, and can be replayed once mended', async () => {
    await addBackend('--mount', `${name}-not-there`);
    const failed = await cli('sync', name, '--wait');
    expect(failed).toMatchObject({ code: 1 });
    expect(failed.stdout).toContain('(container_missing)');
    expect((await cli('jobs', 'failed', '--backend', name)).stdout).toMatch(/discover +failed/);

    await cli('backend', 'update', name, '--mount', name);
    const { cycle } = document(await cli('jobs', 'replay', name, '--json'));
    expect(cycle).toMatchObject({ trigger: 'replay', backend: name });
  });

  test('a secret that could not be carried is named after the sync and with the cycle', async () => {
    put('good');
    vault.policies.write(name, {
      [`${name}/metadata/*`]: ['list', 'read'],
      [`${name}/data/${name}/good`]: ['read'],
    });
    put('forbidden');
    await addBackend('--token', vault.tokens.create({ policies: [name] }));
    const synced = await cli('sync', name, '--wait');
    expect(synced).toMatchObject({ code: 0 });
    expect(synced.stdout).toContain('1 failed, 1 issue');
    expect(synced.stderr).toMatch(new RegExp(`${name}/forbidden +failed +vault_forbidden`));
    const { items } = document(await cli('cycles', 'list', '--backend', name, '--json'));
    expect((await cli('cycles', 'show', items[0].id)).stdout).toContain('vault_forbidden');
  });

  test.each([
    ['an interval in words', ['--interval', '5 minutes'], 'duration_invalid'],
    ['an interval of nothing', ['--interval', '0s'], 'duration_invalid'],
    ['a glob that can’t be parsed', ['--sync-path', 'a/**b'], 'glob_invalid'],
    ['an address that is none', ['--address', 'vault'], 'config_invalid'],
    ['a reference nobody allowed', ['--token', 'env.HOME'], 'reference_refused'],
    ['an unknown kind', ['--kind', 'nothing'], 'backend_kind_unknown'],
  ])('%s is refused with one sentence, its code and exit code 2', async (_what, options, code) => {
    const refused = await addBackend(...options);
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).toMatch(new RegExp(`^error: .* \\(${code}\\)\n  .+\n$`));
  });

  test.each([
    [['backend', 'show', 'nobody'], 1, 'backend_not_found'],
    [['backend', 'show', '..'], 2, 'usage_invalid'],
    [['backend', 'add', 'x', '--config', '/not/there.json'], 2, 'usage_invalid'],
    [['backend', 'update', 'x'], 2, 'usage_invalid'],
    [['keys', 'show', 'not/there'], 1, 'key_not_found'],
    [['jobs', 'replay', 'nobody'], 1, 'backend_not_found'],
  ])('%j ends with exit code %i and says %s, also as JSON', async (args, exit, code) => {
    const refused = await cli(...args, '--json');
    expect(refused).toMatchObject({ code: exit, stdout: '' });
    expect(JSON.parse(refused.stderr)).toMatchObject({ error: { code, action: expect.stringMatching(/./) } });
  });

  test.each([
    [[]],
    [['nonsense']],
    [['keys', 'list', '--limit', 'x']],
    [['sync']],
    [['keys', 'list', '--state', 'lost']],
  ])('the command line %j is wrong usage', async (args) => {
    expect(await cli(...args)).toMatchObject({ code: 2, stdout: '' });
  });

  test('who isn’t there, or doesn’t know us, has an exit code of its own', async () => {
    const list = (more: NodeJS.ProcessEnv) => keyferry(['backend', 'list'], { ...env, ...more });
    expect(await list({ KEYFERRY_TOKEN: 'wrong' })).toMatchObject({ code: 4 });
    expect(await list({ KEYFERRY_TOKEN: '' })).toMatchObject({ code: 4 });
    expect(await list({ KEYFERRY_URL: `http://127.0.0.1:${await freePort()}` })).toMatchObject({ code: 3 });
    expect(await list({ KEYFERRY_URL: vault.url })).toMatchObject({ code: 3 });
    expect(await list({ KEYFERRY_URL: '' })).toMatchObject({ code: 3 });
    expect(await list({ KEYFERRY_URL: 'nonsense' })).toMatchObject({ code: 2 });
  });
});

describe('a dry run', () => {
  test('shows what a cycle would do like a diff, does nothing, and is in order', async () => {
    put('old');
    put('gone');
    put('wrong\u001b[31m');
    await addBackend();
    await cli('sync', name, '--wait');
    put('old', 'canary-value');
    put('new', 'canary-value');
    vault.kv(name).deleteMetadata(`${name}/gone`);
    const before = await cli('keys', 'list', '--json');
    const { code, stdout, stderr } = await cli('sync', name, '--dry-run');
    expect(code).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toContain(`~ ${name}/old  version 1 → 2`);
    expect(lines).toContain(`+ ${name}/new`);
    expect(lines).toContain(`- ${name}/gone  deprecated: The vault lacks it, as a direct read has shown.`);
    expect(lines.filter((line) => line.startsWith('=') && line.includes('path_incompatible'))).toHaveLength(1);
    expect(lines.at(-1)).toMatch(new RegExp(`^${name}: nothing was done; .*1 added.*1 deprecated, 1 issue$`));
    for (const unwanted of ['canary', '\u001b']) expect(stdout).not.toContain(unwanted);
    expect(stderr).toBe('');
    expect(await cli('keys', 'list', '--json')).toEqual(before);
  });

  test('--json gives the lines as the API does; what fails is an error with exit code 1', async () => {
    put('a');
    await addBackend();
    const { code, stdout } = await cli('sync', name, '--dry-run', '--json');
    expect(code).toBe(0);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toMatchObject([{ change: 'add', path: `${name}/a` }, { summary: { counts: { added: 1 } } }]);

    vault.mounts.disable(name);
    const failed = await cli('sync', name, '--dry-run', '--json');
    expect(failed).toMatchObject({ code: 1, stdout: '' });
    expect(JSON.parse(failed.stderr).error.code).toBe('container_missing');
    expect((await cli('sync', name, '--dry-run', '--wait')).code).toBe(2);
    expect((await cli('sync', 'nobody', '--dry-run')).code).toBe(1);
  });

  test('a plan that fails after its first lines shows them, and ends with exit code 1', async () => {
    put('a');
    put('b');
    await addBackend();
    await cli('sync', name, '--wait');
    put('new');
    vault.kv(name).deleteMetadata(`${name}/a`);
    const fault = vault.faults.inject({
      effect: { kind: 'status', status: 503, body: { errors: ['x'] } },
      path: 'sys/internal/*',
      skip: 1,
    });
    const ended = await cli('sync', name, '--dry-run');
    fault.remove();
    expect(ended).toMatchObject({ code: 1, stdout: `+ ${name}/new\n` });
    expect(ended.stderr).toMatch(/^error: .+ \(vault_unavailable\)/);
  });

  test.each([
    ['is cut off', (_end: () => void, cut: () => void) => void cut()],
    ['ends too early', (end: () => void) => void end()],
  ])('a plan that %s is not taken for a whole one', async (_how, finish) => {
    const change = { change: 'add', path: 'a', remote_path: 'a', reason: 'x', code: null, class: null, to_version: 1 };
    const server = createServer((request, response) => {
      response.writeHead(200, { 'content-type': 'application/x-ndjson' });
      response.write(`${JSON.stringify(change)}\n{"summary":`, () =>
        finish(
          () => response.end(),
          () => request.socket.destroy(),
        ),
      );
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const ended = await keyferry(['sync', 'team', '--dry-run'], { ...env, KEYFERRY_URL: url });
    server.close();
    expect(ended.code).toBe(3);
    expect(ended.stderr).toContain('(api_unavailable)');
  });
});

test('keys that are held go only at a person’s word', async () => {
  const paths = Array.from({ length: 9 }, (_, index) => `key-${index}`);
  for (const path of paths) put(path);
  await addBackend();
  await cli('sync', name, '--wait');
  for (const path of paths) vault.kv(name).deleteMetadata(`${name}/${path}`);
  expect((await cli('sync', name, '--wait')).stdout).toContain('9 held');

  expect((await cli('held', 'list')).stdout).toMatch(new RegExp(`${name} +open +9 of 9`));
  const { items } = document(await cli('held', 'list', '--json'));
  const { id } = items.find((hold: { backend: string }) => hold.backend === name);
  const asked = await cli('held', 'approve', id);
  expect(asked).toMatchObject({ code: 2 });
  expect(asked.stderr).toContain(`${name}/key-0`);
  expect((await cli('held', 'approve', id, '--yes')).code).toBe(0);
  await cli('sync', name, '--wait');
  expect((await cli('keys', 'list', '--backend', name, '--state', 'deprecated')).stdout).toContain('key-8');
});

test('events are tailed as one CloudEvent a line, until a signal', async () => {
  put('first');
  await addBackend();
  await cli('sync', name, '--wait');
  const tail = startKeyferry(['events', 'tail', '--all', '--json'], env);
  await tail.printed(`"subject":"${name}"`);
  put('second');
  await cli('sync', name, '--wait');
  await tail.printed(`${name}/second`);
  tail.child.kill('SIGTERM');
  const { code, stdout, stderr } = await tail.ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const events = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(events.filter((event) => event.subject === name).map((event) => event.type)).toEqual(
    expect.arrayContaining(['keys.created', 'federation.sync.completed']),
  );
});

test('a name with control characters can’t steer the terminal', async () => {
  put('evil\u001b[2J');
  await addBackend();
  const { stdout, stderr } = await cli('sync', name, '--wait');
  expect(`${stdout}${stderr}`).toContain('path_incompatible');
  expect(`${stdout}${stderr}`).not.toContain('\u001b');
});

test('--json prints one JSON document and nothing beside it', async () => {
  put('a');
  await addBackend();
  const { id } = document(await cli('sync', name, '--wait', '--json'));
  const commands = [
    ['backend', 'list'],
    ['backend', 'show', name],
    ['backend', 'test', name],
    ['backend', 'update', name, '--interval', '1h'],
    ['sync', name],
    ['cycles', 'list'],
    ['cycles', 'show', id],
    ['keys', 'list'],
    ['keys', 'show', `${name}/a`],
    ['held', 'list'],
    ['jobs', 'failed'],
  ];
  for (const command of commands) {
    const ended = await cli(...command, '--json');
    expect(ended, command.join(' ')).toMatchObject({ code: 0, stderr: '' });
    expect(ended.stdout.trim().split('\n'), command.join(' ')).toHaveLength(1);
    expect(document(ended), command.join(' ')).toBeTypeOf('object');
  }
});

describe('doctor and migrate', () => {
  const local = () => ({ ...env, DATABASE_URL: database.url, REDIS_URL: redisUrl(), KEYFERRY_MASTER_KEY: masterKey });
  const results = (ended: Ended) =>
    Object.fromEntries(
      document(ended).findings.map((finding: { name: string; result: string; code?: string }) => [
        finding.name,
        finding.code ?? finding.result,
      ]),
    );

  test('doctor finds nothing wrong with services that are right', async () => {
    const ended = await keyferry(['doctor', '--json'], local());
    // Other tests leave backends in trouble: they are what the API's part may find.
    expect(results(ended)).toMatchObject({
      versions: 'ok',
      database: 'ok',
      'master key': 'ok',
      redis: 'ok',
      api: 'ok',
    });
  });

  test('doctor says which of the services is wrong, and ends with exit code 1', async () => {
    const away = `127.0.0.1:${await freePort()}`;
    const wrong = {
      ...local(),
      REDIS_URL: `redis://${away}`,
      KEYFERRY_URL: `http://${away}`,
      KEYFERRY_MASTER_KEY: Buffer.alloc(32, 8).toString('base64'),
    };
    const ended = await keyferry(['doctor', '--json'], wrong);
    expect(ended.code).toBe(1);
    expect(results(ended)).toEqual({
      versions: 'ok',
      database: 'ok',
      'master key': 'master_key_mismatch',
      redis: 'redis_unavailable',
      api: 'api_unavailable',
    });
    const url = new URL(database.url);
    url.password = 'a-wrong-password';
    const refused = await keyferry(['doctor'], { ...wrong, DATABASE_URL: url.href });
    expect(refused.stdout).toContain(`Postgres at ${url.host} refused the login "${url.username}".`);
    expect(refused.stdout).not.toContain('a-wrong-password');
  });

  test('migrate says what it applied, and needs the owner', async () => {
    const owner = { DATABASE_OWNER_URL: database.ownerUrl };
    expect(document(await keyferry(['migrate', '--json'], { ...local(), ...owner }))).toEqual({ applied: [] });
    const refused = await keyferry(['migrate'], local());
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('set DATABASE_OWNER_URL');
  });
});

test('every command’s help has an example and the exit codes', async () => {
  const leaves = (command: Command, path: string[]): string[][] =>
    command.commands.length === 0
      ? [path]
      : command.commands.flatMap((child) => leaves(child, [...path, child.name()]));
  const all = leaves(createProgram({ io: process, end: () => {} }), []);
  expect(all.length).toBeGreaterThan(20);
  for (const path of all) {
    const { code, stdout } = await cli(...path, '--help');
    expect(code).toBe(0);
    expect(stdout).toContain(`$ keyferry ${path.join(' ')}`);
    expect(stdout).toContain('Exit codes:');
  }
});
