import { anchorAuditLogs, type KeptAnchor, pruneAuditLogs, sealAuditLogs } from '@keyferry/pipeline';
import { defaultTenantId } from '@keyferry/store';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { knownIdentity } from './support/known-identity.ts';
import { startTestApi, type TestApi } from './support/test-api.ts';

/** In whose audit log a request is told, and under which name, where more than one tenant has to do with it. */

const theirs = 'one-of-acme';
const cleanup = new AsyncDisposableStack();
let api: TestApi;
let acme: string;
let tokenOfAcme: string;

beforeAll(async () => {
  const late: { known?: ReturnType<typeof knownIdentity> } = {};
  const authenticators = [{ identify: (given: string) => late.known?.identify(given, { tenant: null }) ?? null }];
  api = await startTestApi({ authenticators });
  cleanup.defer(() => api.close());
  acme = (await api.call('POST', '/v1/tenants', { name: 'acme' })).body.id;
  late.known = knownIdentity(theirs, acme);
  await api.call('POST', '/v1/identities', { name: 'robot', scopes: ['settings'] }, theirs);
  tokenOfAcme = (await api.call('POST', '/v1/identities/robot/tokens', { name: 'one' }, theirs)).body.token;
});
afterAll(() => cleanup.disposeAsync());

async function toldOf(...[method, path, body, by, headers]: Parameters<TestApi['call']>) {
  const answer = await api.call(method, path, body, by, headers);
  const told = await api.query(
    `SELECT tenant_id, actor, action, outcome, details ->> 'code' AS code FROM keyferry.audit_log
     WHERE request_id = $1 ORDER BY batch, place`,
    [answer.headers['x-request-id']],
  );
  return { status: answer.status, told };
}
const refused = (tenant_id: string, actor: string, code: string) => ({
  tenant_id,
  actor,
  action: 'request.refused',
  outcome: 'refused',
  code,
});

test('who names another tenant than their own is refused in their own tenant’s log, whether there is the other or not', async () => {
  for (const named of ['default', defaultTenantId, 'nobody'])
    expect(await toldOf('GET', '/v1/keys', undefined, theirs, { 'x-keyferry-tenant': named })).toEqual({
      status: 404,
      told: [refused(acme, theirs, 'tenant_not_found')],
    });
});

test('an operator who misspells a tenant is not told as refused', async () => {
  const headers = { 'x-keyferry-tenant': 'nobody' };
  expect(await toldOf('GET', '/v1/keys', undefined, undefined, headers)).toEqual({ status: 404, told: [] });
});

test('an operator who lacks a permission in a tenant is refused in its log, under an operator’s name', async () => {
  const headers = { 'x-keyferry-tenant': 'acme' };
  expect(await toldOf('GET', '/v1/secrets/a/b', undefined, undefined, headers)).toEqual({
    status: 403,
    told: [refused(acme, 'operator:api-token', 'forbidden')],
  });
});

test('an operator’s rotation and rewrap of a tenant’s data keys are in its log under an operator’s name', async () => {
  const headers = { 'x-keyferry-tenant': 'acme' };
  const rotated = await toldOf('POST', '/v1/encryption/rotate', undefined, undefined, headers);
  expect(rotated).toMatchObject({
    status: 200,
    told: [{ tenant_id: acme, actor: 'operator:api-token', action: 'encryption.rotated' }],
  });
  expect((await toldOf('POST', '/v1/encryption/rotate')).told).toMatchObject([
    { tenant_id: defaultTenantId, actor: 'api-token', action: 'encryption.rotated' },
  ]);
});

test('nobody of a tenant can be named as an operator or as Keyferry itself', async () => {
  for (const name of ['sweep', 'retention', 'unknown', 'Keyferry'])
    expect((await api.call('POST', '/v1/identities', { name }, theirs)).status, name).toBe(400);
  const issuer = { kind: 'oidc', issuer: 'https://issuer.example', audiences: ['a'], jwks: { keys: [] } };
  expect(await api.call('POST', '/v1/issuers', { name: 'Operator', ...issuer }, theirs)).toMatchObject({
    status: 400,
    body: { error: { message: expect.stringContaining('name: ') } },
  });
});

test('who is refused because their tenant is suspended is told in its log, by their name', async () => {
  await api.call('POST', '/v1/tenants/acme/suspend');
  expect(await toldOf('GET', '/v1/whoami', undefined, tokenOfAcme)).toEqual({
    status: 403,
    told: [refused(acme, 'robot', 'tenant_suspended')],
  });
  const headers = { 'x-keyferry-tenant': 'acme' };
  expect(await toldOf('GET', '/v1/secrets', undefined, undefined, headers)).toEqual({
    status: 403,
    told: [refused(defaultTenantId, 'api-token', 'tenant_suspended')],
  });
});

test('the log of a tenant that rests, or is deleted, is sealed, anchored outside and kept for as long as of any other', async () => {
  const { services } = api;
  const { id } = (await api.call('POST', '/v1/tenants', { name: 'resting' })).body;
  const actions = async () => {
    const rows = await api.query('SELECT action FROM keyferry.audit_log WHERE tenant_id = $1 ORDER BY batch', [id]);
    return rows.map(({ action }) => action);
  };
  const yearsLater = async () => {
    const back = "SET at = at - interval '2 years', last_at = last_at - interval '2 years'";
    await api.query(`UPDATE keyferry.audit_batches ${back} WHERE tenant_id = $1 AND number IS NULL`, [id]);
    await sealAuditLogs(services);
    await pruneAuditLogs(services);
  };
  await api.call('POST', '/v1/tenants/resting/suspend');
  expect(await actions()).toEqual(['tenant.created', 'tenant.suspended']);
  await yearsLater();
  expect(await actions()).toEqual(['audit.pruned']);
  await api.call('DELETE', '/v1/tenants/resting');
  expect(await actions()).toEqual(['audit.pruned', 'tenant.deleted']);
  await yearsLater();
  expect(await actions()).toEqual(['audit.pruned']);

  await sealAuditLogs(services);
  const anchors: KeptAnchor[] = [];
  await anchorAuditLogs(services, async (anchor) => void anchors.push(anchor));
  expect(anchors.filter(({ tenant_id }) => tenant_id === id)).toHaveLength(1);
  // Nobody is left to be told: it would wait for ever.
  expect(await api.query('SELECT FROM keyferry.outbox WHERE tenant_id = $1', [id])).toEqual([]);
});
