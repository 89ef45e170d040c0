import { readFileSync } from 'node:fs';
import { asAdmin } from '@keyferry/testing/support/test-postgres.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { keyferry } from './support/command-line.ts';
import { startServices } from './support/services.ts';

/** docs/policies.md, done as it is written. */

const page = readFileSync(new URL('../../../docs/policies.md', import.meta.url), 'utf8');
const blocksOf = (kind: string) =>
  [...page.matchAll(new RegExp(`\`\`\`${kind}\n(.*?)\`\`\``, 'gs'))].map(([, text = '']) => text);

const cleanup = new AsyncDisposableStack();
let env: NodeJS.ProcessEnv;
beforeAll(async () => {
  const services = await startServices(cleanup, {}, ['api']);
  env = services.env;
  await asAdmin(services.database.ownerUrl, (client) =>
    client.query(`
      INSERT INTO keyferry.identities (tenant_id, name, scopes, created_by, created_at, updated_at)
        SELECT id, unnest(ARRAY['shop', 'billing']), '{}', 'ann', now(), now() FROM keyferry.tenants;
      INSERT INTO keyferry.token_issuers (tenant_id, name, kind, issuer, audiences, algorithms, mappings, created_by, created_at, updated_at)
        SELECT id, 'ci', 'oidc', 'https://ci.test', '{keyferry}', '{RS256}', '[]', 'ann', now(), now() FROM keyferry.tenants`),
  );
});
afterAll(() => cleanup.disposeAsync());

test('its commands do what it says', async () => {
  const [first = '', second = ''] = blocksOf('sh');
  const run = (line: string) =>
    keyferry(
      (line.replace(/^npx keyferry /, '').match(/'[^']*'|\S+/g) ?? []).map((word) => word.replace(/^'(.*)'$/, '$1')),
      env,
    );
  const lines = first.trim().split('\n');
  expect(lines).toHaveLength(6);
  for (const line of lines) expect([line, (await run(line)).code]).toEqual([line, 0]);
  const denied = await run(second.trim());
  expect([denied.code, denied.stderr]).toEqual([1, '']);
  expect(denied.stdout).toContain('"billing" may not read "shop/stripe/live": no policy grants it.');
});

test('its request is taken as it is', async () => {
  const [body = ''] = blocksOf('json');
  const answer = await fetch(`${env.KEYFERRY_URL}/v1/policies/check`, {
    method: 'POST',
    headers: { authorization: `Bearer ${env.KEYFERRY_TOKEN}`, 'content-type': 'application/json' },
    body,
  });
  expect([answer.status, await answer.json()]).toMatchObject([200, { granted: false, identity: null }]);
});
