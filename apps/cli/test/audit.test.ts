import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sealAuditLogs } from '@keyferry/pipeline';
import { openStore } from '@keyferry/store';
import { temporaryFolder } from '@keyferry/testing/support/temporary-folder.ts';
import { asAdmin } from '@keyferry/testing/support/test-postgres.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { document, keyferry } from './support/command-line.ts';
import { startServices } from './support/services.ts';

const cleanup = new AsyncDisposableStack();
let env: NodeJS.ProcessEnv;
let ownerUrl: string;
let seal: () => Promise<unknown>;
const folder = temporaryFolder('audit-command');

beforeAll(async () => {
  cleanup.defer(folder.remove);
  const services = await startServices(cleanup);
  ({ env } = services);
  ({ ownerUrl } = services.database);
  const store = openStore({ connectionString: services.database.url });
  cleanup.defer(() => store.close());
  seal = () => sealAuditLogs({ store, now: () => new Date() });
  for (const name of ['one', 'two', 'one']) await cli('secrets', 'get', `bifrost/${name}`);
});
afterAll(() => cleanup.disposeAsync());

const cli = (...args: string[]) => keyferry(['audit', ...args].slice(args[0] === 'secrets' ? 1 : 0), env);

test('entries are listed by what is asked, and exported as JSON lines', async () => {
  const { code, stdout } = await cli('list', '--path', 'bifrost/one');
  expect(code).toBe(0);
  expect(stdout).toMatch(/AT +ACTOR +ACTION +TARGET +OUTCOME +FROM/);
  expect(stdout.match(/api-token +secret\.read +bifrost\/one +failed/g)).toHaveLength(2);
  expect(document(await cli('list', '--prefix', 'bifrost/', '--json')).items).toHaveLength(3);
  const exported = await cli('export', '--action', 'secret.read');
  const lines = exported.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines.map(({ target }) => target)).toEqual(['bifrost/one', 'bifrost/two', 'bifrost/one']);
  expect(await cli('list', '--since', 'yesterday')).toMatchObject({ code: 2, stdout: '' });
});

test('retention is shown and set', async () => {
  expect((await cli('retention')).stdout).toContain('365d');
  expect((await cli('retention', '--set', '400d')).stdout).toContain('400d');
  expect(await cli('retention', '--set', '5m')).toMatchObject({ code: 2, stdout: '' });
});

test('a whole log is verified with what is not sealed yet, also against anchors', async () => {
  await seal();
  const whole = await cli('verify');
  expect(whole).toMatchObject({ code: 0 });
  expect(whole.stdout).toContain('The audit log is as it was written.');
  const { head } = document(await cli('verify', '--json'));
  const anchors = join(folder.path, 'anchors.jsonl');
  await writeFile(anchors, `${JSON.stringify({ tenant_id: 'x', ...head, at: 'then' })}\n`);
  expect((await cli('verify', '--anchors', anchors)).stdout).toContain('Compared with 1 anchor.');
  await writeFile(anchors, `${JSON.stringify({ data: { number: head.number, hash: 'ab'.repeat(32) } })}\n`);
  const other = await cli('verify', '--anchors', anchors);
  expect(other).toMatchObject({ code: 1 });
  expect(other.stdout).toContain('an anchor tells another hash');
  await writeFile(anchors, 'no anchor\n');
  expect(await cli('verify', '--anchors', anchors)).toMatchObject({ code: 2, stdout: '' });
  expect(await cli('verify', '--anchors', join(folder.path, 'none'))).toMatchObject({ code: 2, stdout: '' });
});

test('a log that somebody altered makes verifying exit with 1, with the place', async () => {
  await seal();
  await asAdmin(ownerUrl, (client) =>
    client.query("UPDATE keyferry.audit_log SET actor = 'nobody' WHERE target = 'bifrost/two'"),
  );
  const { code, stdout } = await cli('verify');
  expect(code).toBe(1);
  expect(stdout).toMatch(/was altered: rows were altered.*\nFirst at number \d+ of the chain, batch \d+/);
});
