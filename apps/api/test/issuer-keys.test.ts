import { readFileSync } from 'node:fs';
import {
  newSigningKey,
  publicJwk,
  type SigningKey,
  startIssuer,
  type TestIssuer,
} from '@keyferry/testing/support/token-issuer.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApi, type TestApi } from './support/test-api.ts';

/** Where the keys of issuers come from, and what becomes of their tokens when those can't be had. */

const cleanup = new AsyncDisposableStack();
let api: TestApi;
let issuer: TestIssuer;
let at = new Date('2026-06-01T12:00:00Z');
const pass = (milliseconds: number) => {
  at = new Date(at.getTime() + milliseconds);
};
const main = { sub: 'repo:acme/app:x', ref: 'refs/heads/main' };

beforeAll(async () => {
  api = await startTestApi({ now: () => at, allowedEgress: '127.0.0.1,localhost' });
  cleanup.defer(() => api.close());
  issuer = await startIssuer();
  cleanup.defer(() => issuer.close());
  await make('/v1/identities', { name: 'deployer' });
  const mappings = [{ claims: { sub: main.sub }, identity: 'deployer' }];
  await make('/v1/issuers', { name: 'ci', issuer: issuer.url, audiences: ['keyferry'], mappings });
});
afterAll(() => cleanup.disposeAsync());

async function make(path: string, body: object) {
  const made = await api.call('POST', path, body);
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  return made.body;
}

const whoami = (by: string) => api.call('GET', '/v1/whoami', undefined, by);
const signed = (claims: object = {}, options: object = {}) => issuer.sign(claims, { at, ...options });

describe('keys that an issuer changes', () => {
  test('a new one is asked for when it is first met, and those withdrawn go after ten minutes', async () => {
    const [before] = issuer.keys as [SigningKey];
    const after = newSigningKey('ES256');
    await whoami(signed(main));
    pass(30_000);
    issuer.keys = [after, before];
    expect((await whoami(signed(main))).status).toBe(200);
    issuer.keys = [after];
    expect((await whoami(signed(main, { key: before }))).status).toBe(200);
    pass(10 * 60_000 + 1);
    expect((await whoami(signed(main, { key: before }))).status).toBe(401);
    expect((await whoami(signed(main))).status).toBe(200);
  });

  test('an unknown one is asked for at most every 30 seconds, however often it is met', async () => {
    pass(60_000);
    await whoami(signed(main));
    pass(30_000);
    const unknown = newSigningKey();
    const before = issuer.asked.length;
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => whoami(signed(main, { key: { ...unknown, kid: `${Math.random()}` } }))),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 401));
    // The discovery document, and the keys.
    expect(issuer.asked.length - before).toBeLessThanOrEqual(2);
  });
});

/** A tenant's issuer with a server of its own. */
async function another(name: string, more: object = {}, tls?: { cert: string; key: string }) {
  const server = await startIssuer(tls ? { tls } : {});
  cleanup.defer(() => server.close());
  const mappings = [{ claims: { sub: 'somebody' }, identity: 'deployer' }];
  const row = await make('/v1/issuers', { name, issuer: server.url, audiences: ['keyferry'], mappings, ...more });
  return { server, row };
}

describe('where keys come from', () => {
  test('the address that is named, without asking for anything else', async () => {
    const server = await startIssuer();
    cleanup.defer(() => server.close());
    const mappings = [{ claims: { sub: 'somebody' }, identity: 'deployer' }];
    const settings = { kind: 'kubernetes', issuer: 'kubernetes/cluster', jwks_url: server.jwksUrl };
    await make('/v1/issuers', { name: 'cluster', ...settings, audiences: ['keyferry'], mappings });
    expect((await whoami(server.sign({ iss: 'kubernetes/cluster' }, { at }))).status).toBe(200);
    expect(server.asked).toEqual(['/keys']);
  });

  test('the settings themselves, without asking anybody', async () => {
    const key = newSigningKey('ES256');
    await make('/v1/issuers', {
      name: 'inline',
      issuer: 'urn:inline',
      audiences: ['keyferry'],
      jwks: { keys: [publicJwk(key)] },
      mappings: [{ claims: { sub: 'somebody' }, identity: 'deployer' }],
    });
    expect((await whoami(issuer.sign({ iss: 'urn:inline' }, { key, at }))).status).toBe(200);
  });

  test('HTTPS by an authority of the issuer’s own, and by no other', async () => {
    const fixture = (name: string) =>
      readFileSync(new URL(`../../../packages/emulators/test/fixtures/${name}.pem`, import.meta.url), 'utf8');
    const tls = { cert: fixture('server'), key: fixture('server-key') };
    const trusted = await another('private', { ca_cert: fixture('ca') }, tls);
    const distrusted = await another('distrusted', {}, tls);
    expect((await whoami(trusted.server.sign({}, { at }))).status).toBe(200);
    expect((await whoami(distrusted.server.sign({}, { at }))).body.error.code).toBe('issuer_unavailable');
  });

  test.each([
    ['none that can be asked', { issuer: 'not-a-url' }, 'config_invalid'],
    ['two places', { jwks_url: 'https://a.example/', jwks: { keys: [] } }, 'config_invalid'],
    ['a place without TLS that isn’t allowed', { jwks_url: 'http://plain.example/keys' }, 'egress_refused'],
    ['a metadata service', { jwks_url: 'https://169.254.169.254/keys' }, 'egress_refused'],
    ['a private key', { jwks: { keys: [{ kty: 'RSA', n: 'x', e: 'AQAB', d: 'x' }] } }, 'config_invalid'],
    ['a secret that is shared', { jwks: { keys: [{ kty: 'oct', k: 'AAAA' }] } }, 'config_invalid'],
    ['an algorithm by a shared secret', { algorithms: ['HS256'] }, 'config_invalid'],
    ['no algorithm', { algorithms: ['none'] }, 'config_invalid'],
    ['a certificate that is none', { ca_cert: 'hello' }, 'config_invalid'],
    ['a mapping of everybody', { mappings: [{ claims: { sub: '*' }, identity: 'deployer' }] }, 'config_invalid'],
    ['a mapping of nothing', { mappings: [{ claims: {}, identity: 'deployer' }] }, 'config_invalid'],
    ['a wildcard within', { mappings: [{ claims: { sub: 'a*b' }, identity: 'deployer' }] }, 'config_invalid'],
    ['a mapping to nobody', { mappings: [{ claims: { sub: 'a' }, identity: 'nobody' }] }, 'identity_not_found'],
    ['no audience', { audiences: [] }, 'config_invalid'],
  ])('an issuer with %s is refused when it is configured, and changes nothing', async (_what, more, code) => {
    const before = await api.query('SELECT count(*) FROM keyferry.token_issuers');
    const settings = { name: 'bad', issuer: 'https://bad.example', audiences: ['keyferry'], ...more };
    expect((await api.call('POST', '/v1/issuers', settings)).body.error.code).toBe(code);
    expect((await api.call('PATCH', '/v1/issuers/ci', { jwks_url: null, ...more })).body.error.code).toBe(code);
    expect(await api.query('SELECT count(*) FROM keyferry.token_issuers')).toEqual(before);
  });
});

describe('an issuer that can’t be asked', () => {
  test.each([
    ['is broken', 500, 'nothing'],
    ['redirects', 302, ''],
    ['answers something else', 200, '<html>'],
    ['answers JSON of another kind', 200, '[]'],
    ['answers no keys', 200, '{"keys": "none"}'],
    ['answers more than anybody needs', 200, `{"keys": [], "more": "${'x'.repeat(300_000)}"}`],
  ])('makes 503 of tokens that it may have signed, if it %s', async (what, status, body) => {
    const { server } = await another(what.replaceAll(' ', '-'));
    const inner = await startIssuer();
    cleanup.defer(() => inner.close());
    server.answering = (_request, response) => {
      response.writeHead(status, { location: inner.jwksUrl }).end(body);
    };
    const answer = await whoami(server.sign({}, { at }));
    expect(answer).toMatchObject({ status: 503, body: { error: { code: 'issuer_unavailable' } } });
    expect(JSON.stringify(answer.body)).not.toContain(server.url);
    expect(inner.asked).toEqual([]);
    // It is not asked again at once, and heals by itself.
    const asked = server.asked.length;
    server.answering = null;
    expect((await whoami(server.sign({}, { at }))).status).toBe(503);
    expect(server.asked.length).toBe(asked);
    pass(5_000);
    expect((await whoami(server.sign({}, { at }))).status).toBe(200);
  });

  test('or answers for another, or not at all', async () => {
    const { server: posing } = await another('posing');
    posing.answering = (_request, response) => {
      response.end(JSON.stringify({ issuer: 'https://other.example', jwks_uri: posing.jwksUrl }));
    };
    const { server: gone } = await another('gone');
    await gone.close();
    for (const server of [posing, gone])
      expect((await whoami(server.sign({}, { at }))).body.error.code).toBe('issuer_unavailable');
  });

  test('or answers too slowly', async () => {
    const impatient = await startTestApi({
      beside: api,
      now: () => at,
      allowedEgress: '127.0.0.1',
      issuerDeadlineMs: 50,
    });
    cleanup.defer(() => impatient.close());
    const { server } = await another('slow');
    server.answering = (_request, response) => void response.write('{');
    const answer = await impatient.call('GET', '/v1/whoami', undefined, server.sign({}, { at }));
    expect(answer).toMatchObject({ status: 503, body: { error: { code: 'issuer_unavailable' } } });
    expect(impatient.lines.join()).toContain('aborted due to timeout');
  });

  test('is not needed where its keys are known, for a day', async () => {
    const { server } = await another('away');
    expect((await whoami(server.sign({}, { at }))).status).toBe(200);
    server.answering = (_request, response) => void response.writeHead(500).end();
    pass(24 * 3_600_000 - 1);
    expect((await whoami(server.sign({}, { at }))).status).toBe(200);
    expect((await whoami(server.sign({}, { at, key: newSigningKey() }))).status).toBe(503);
    pass(60_000);
    expect((await whoami(server.sign({}, { at }))).status).toBe(503);
  });

  test('is told to the log by its id, and nothing of the token', async () => {
    const { server, row } = await another('logged');
    server.answering = (_request, response) => void response.writeHead(500).end();
    const token = server.sign({}, { at });
    await whoami(token);
    const line = api.lines.find((candidate) => candidate.includes(row.id));
    expect(line).toContain('it answers with the status 500');
    for (const part of token.split('.')) expect(api.lines.join('\n')).not.toContain(part);
  });
});
