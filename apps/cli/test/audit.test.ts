import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '@keyferry/testing/support/temporary-folder.ts';
import { asAdmin } from '@keyferry/testing/support/test-postgres.ts';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { document, keyferry } from './support/command-line.ts';
import { startServices } from './support/services.ts';

const cleanup = new AsyncDisposableStack();
let env: NodeJS.ProcessEnv;
let ownerUrl: string;
const folder = temporaryFolder('audit-command');
const anchorFile = join(folder.path, 'anchors.jsonl');

beforeAll(async () => {
  cleanup.defer(folder.remove);
  const settings = { KEYFERRY_AUDIT_ANCHOR_FILE: anchorFile, KEYFERRY_HEALTH_PORT: '0' };
  const services = await startServices(cleanup, settings, ['api', 'scheduler']);
  ({ env } = services);
  ({ ownerUrl } = services.database);
  for (const name of ['one', 'two', 'one']) await cli('secrets', 'get', `bifrost/${name}`);
});
afterAll(() => cleanup.disposeAsync());

const cli = (...args: string[]) => keyferry(['audit', ...args].slice(args[0] === 'secrets' ? 1 : 0), env);

/** Verifying is told in the log as well: what came before it is sealed by now. */
const sealed = () =>
  vi.waitFor(async () => {
    const { unsealed } = document(await cli('verify', '--json'));
    expect(unsealed.rows).toBeLessThanOrEqual(1);
  }, 20_000);

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
  expect(await cli('list', '--since', 'yesterday')).toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringContaining('since: must be a time such as'),
  });
});

test('retention is shown and set', async () => {
  expect((await cli('retention')).stdout).toContain('365d');
  expect((await cli('retention', '--set', '400d')).stdout).toContain('400d');
  expect(await cli('retention', '--set', '5m')).toMatchObject({ code: 2, stdout: '' });
});

test('a whole log is verified with what is not sealed yet, also against anchors', async () => {
  await sealed();
  const whole = await cli('verify');
  expect(whole).toMatchObject({ code: 0 });
  expect(whole.stdout).toContain('The audit log is as it was written.');
  const kept = await vi.waitFor(async () => JSON.parse(await readFile(anchorFile, 'utf8')), 20_000);
  expect(kept).toMatchObject({ tenant_id: '00000000-0000-4000-8000-000000000001', number: expect.any(Number) });
  expect((await cli('verify', '--anchors', anchorFile)).stdout).toContain('Compared with 1 anchor.');
  const anchors = join(folder.path, 'others.jsonl');
  await writeFile(anchors, `${JSON.stringify({ data: { number: kept.number, hash: 'ab'.repeat(32) } })}\n`);
  const other = await cli('verify', '--anchors', anchors);
  expect(other).toMatchObject({ code: 1 });
  expect(other.stdout).toContain('an anchor tells another hash');
  await writeFile(anchors, 'no anchor\n');
  expect(await cli('verify', '--anchors', anchors)).toMatchObject({ code: 2, stdout: '' });
  expect(await cli('verify', '--anchors', join(folder.path, 'none'))).toMatchObject({ code: 2, stdout: '' });
});

test('an anchor of what was pruned, or is said to have been, is told to have shown nothing', async () => {
  await sealed();
  await asAdmin(ownerUrl, (client) =>
    client.query(`
      WITH cut AS (SELECT tenant_id, max(number) AS number FROM keyferry.audit_batches GROUP BY tenant_id),
        last AS (SELECT b.* FROM keyferry.audit_batches b JOIN cut USING (tenant_id, number)),
        forged AS (UPDATE keyferry.audit_chains c SET pruned_number = l.number, pruned_hash = l.hash FROM last l
          WHERE c.tenant_id = l.tenant_id RETURNING c.tenant_id),
        gone AS (DELETE FROM keyferry.audit_log l USING keyferry.audit_batches b WHERE b.id = l.batch AND b.number IS NOT NULL),
        batches AS (DELETE FROM keyferry.audit_batches WHERE number IS NOT NULL),
        told AS (INSERT INTO keyferry.audit_batches (tenant_id, rows, at, last_at)
          SELECT tenant_id, 1, now(), now() FROM forged RETURNING *)
      INSERT INTO keyferry.audit_log (tenant_id, batch, place, at, outcome, actor, action, target, details)
        SELECT tenant_id, t.id, 1, t.at, 'done', 'retention', 'audit.pruned', 'audit log',
          jsonb_build_object('number', l.number, 'hash', encode(l.hash, 'hex')) FROM told t JOIN last l USING (tenant_id)`),
  );
  const { stdout } = await cli('verify', '--anchors', anchorFile);
  expect(stdout).toContain('1 of 1 anchor shows nothing: what it tells of was pruned.');
  await cli('secrets', 'get', 'bifrost/two');
});

test('a log that somebody altered makes verifying exit with 1, with the place', async () => {
  await sealed();
  await asAdmin(ownerUrl, (client) =>
    client.query("UPDATE keyferry.audit_log SET actor = 'nobody' WHERE target = 'bifrost/two'"),
  );
  const { code, stdout } = await cli('verify');
  expect(code).toBe(1);
  expect(stdout).toMatch(/was altered: rows were altered.*\nFirst at number \d+ of the chain, batch \d+/);
});
