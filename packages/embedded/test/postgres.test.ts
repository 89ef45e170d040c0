import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type PostgresServer, startPostgres } from '../src/index.ts';

let dataDir: string;
let server: PostgresServer | undefined;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'keyferry-postgres-'));
});

afterEach(async () => {
  await server?.stop();
  if (server) rmSync(server.directory, { recursive: true });
  server = undefined;
  rmSync(dataDir, { recursive: true, force: true });
});

async function query(sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: server?.url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

test('a second start on the same folder finds the data of the first', async () => {
  server = await startPostgres({ dataDir, durable: true });
  await query('CREATE TABLE note (text text)');
  await query(`INSERT INTO note VALUES ('kept')`);
  await server.stop();

  server = await startPostgres({ dataDir, durable: true });
  expect(await query('SELECT text FROM note')).toEqual([{ text: 'kept' }]);
});

test('the database stores UTF-8 whatever the environment says, and asks for a password', async () => {
  server = await startPostgres({ dataDir, durable: false });
  expect(await query('SHOW server_encoding')).toEqual([{ server_encoding: 'UTF8' }]);
  const withoutPassword = new URL(server.url);
  withoutPassword.password = 'wrong';
  const client = new pg.Client({ connectionString: withoutPassword.href });
  await expect(client.connect()).rejects.toThrow(/password authentication failed/);
  expect(statSync(join(server.directory, 'password')).mode & 0o777).toBe(0o600);
});

test('a restart keeps the port and the data, and cuts the connections there were', async () => {
  server = await startPostgres({ dataDir, durable: false });
  await query('CREATE TABLE note ()');
  const client = new pg.Client({ connectionString: server.url });
  const cut = new Promise((resolve) => client.on('error', resolve));
  await client.connect();
  const { port } = server;

  await server.restart();
  await cut;
  expect(server.port).toBe(port);
  expect(await query('SELECT count(*)::int AS notes FROM note')).toEqual([{ notes: 0 }]);
});

test('a folder that a running server works on is refused in one sentence', async () => {
  server = await startPostgres({ dataDir, durable: false });
  await expect(startPostgres({ dataDir, durable: false })).rejects.toMatchObject({
    code: 'setup_failed',
    message: expect.stringContaining('already runs'),
  });
  expect(await query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

test('a process id left behind by a crash, and given to another process since, does not stop the start', async () => {
  server = await startPostgres({ dataDir, durable: false });
  const pidFile = join(server.directory, 'cluster', 'postmaster.pid');
  const left = readFileSync(pidFile, 'utf8');
  await server.stop();
  writeFileSync(pidFile, left.replace(/^\d+/, String(process.pid)));

  server = await startPostgres({ dataDir, durable: false });
  expect(await query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

test('an initdb that was cut short is done again', async () => {
  mkdirSync(join(dataDir, 'cluster.partial'));
  writeFileSync(join(dataDir, 'cluster.partial', 'PG_VERSION'), '');
  server = await startPostgres({ dataDir, durable: false });
  expect(await query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

test('a port that is taken fails the start with what Postgres said', async () => {
  server = await startPostgres({ dataDir, durable: false });
  const other = join(dataDir, 'other');
  await expect(startPostgres({ dataDir: other, durable: false, port: server.port })).rejects.toMatchObject({
    code: 'setup_failed',
    message: expect.stringContaining('Address already in use'),
  });
});

test('binaries of another major version than the data are refused before they touch them', async () => {
  server = await startPostgres({ dataDir, durable: false });
  await server.stop();
  const version = join(server.directory, 'cluster', 'PG_VERSION');
  writeFileSync(version, '12\n');
  await expect(startPostgres({ dataDir, durable: false })).rejects.toMatchObject({
    code: 'setup_failed',
    message: expect.stringContaining('was made by Postgres 12'),
  });
});

test('the server ends with the process that started it, even one that is killed', async () => {
  const program = `
    import { startPostgres } from ${JSON.stringify(new URL('../src/index.ts', import.meta.url).href)};
    await startPostgres({ dataDir: ${JSON.stringify(dataDir)}, durable: false });
    process.kill(process.pid, 'SIGKILL');
  `;
  expect(() => execFileSync(process.execPath, ['--input-type=module', '-e', program])).toThrow(
    /SIGKILL|Command failed/,
  );
  // It waits for the one that is just ending.
  server = await startPostgres({ dataDir, durable: false });
  expect(await query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

test.runIf(process.getuid?.() === 0)(
  'as root, below a folder that others cannot enter, data are put elsewhere and a note says where',
  async () => {
    chmodSync(dataDir, 0o700);
    const inner = join(dataDir, 'home', 'postgres');
    server = await startPostgres({ dataDir: inner, durable: false });
    expect(server.directory).not.toBe(inner);
    expect(server.note).toContain(server.directory);
    expect(await query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  },
);
