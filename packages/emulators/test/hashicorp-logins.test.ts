import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import { spawnEmulator, startVaultEmulator, type VaultEmulator, type VaultEmulatorOptions } from '../src/index.ts';
import { ask } from './client.ts';

const now = Date.parse('2027-01-01T00:00:00Z');
const seconds = now / 1000;
const pem = (name: string) => readFileSync(new URL(`./fixtures/${name}.pem`, import.meta.url), 'utf8');
const publicPem = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }).toString();
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const curve = generateKeyPairSync('ec', { namedCurve: 'P-256' });

let emulator: VaultEmulator;
afterEach(() => emulator.close());

async function start(options: VaultEmulatorOptions = {}): Promise<VaultEmulator> {
  emulator = await startVaultEmulator({ now: () => now, ...options });
  return emulator;
}

function jwt(claims: object, key = rsa.privateKey, header: object = { alg: 'RS256' }): string {
  const signed = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${signed}.${sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

/** The words of a refusal, or the policies of the token. */
async function login(mount: string, body: object): Promise<string> {
  const { status, body: answer } = await ask(emulator, `auth/${mount}/login`, { token: '', body });
  return status === 200 ? answer.auth.policies.join() : `${status} ${answer.errors[0]}`;
}

describe('tokens of another issuer', () => {
  const claims = { iss: 'https://ci.example.com', sub: 'repo:team/app', aud: 'vault', exp: seconds + 60, ref: 'main' };

  async function startWithJwt() {
    const { auth } = await start();
    auth.enable('jwt');
    auth.jwtConfig({
      keys: [publicPem(rsa.publicKey), publicPem(curve.publicKey)],
      boundIssuer: 'https://ci.example.com',
    });
    const policies = ['reader'];
    auth.jwtRole('app', { policies, boundAudiences: ['vault'], boundSubject: 'repo:team/app' });
    auth.jwtRole('main', { policies, boundAudiences: ['other', 'vault'], boundClaims: { ref: ['main', 'next'] } });
    auth.jwtRole('open', { policies });
  }

  test('signed by RS256 or ES256 they let in whom the role names', async () => {
    await startWithJwt();
    expect(await login('jwt', { role: 'app', jwt: jwt(claims) })).toBe('default,reader');
    const signed = jwt({ ...claims, aud: ['a', 'vault'] }, curve.privateKey, { alg: 'ES256' });
    expect(await login('jwt', { role: 'MAIN', jwt: signed })).toBe('default,reader');
  });

  test('anything else is refused', async () => {
    await startWithJwt();
    const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    const [head, body] = jwt(claims).split('.');
    for (const [role, token, words] of [
      ['app', jwt(claims, stranger), 'no known key'],
      ['app', jwt(claims, rsa.privateKey, { alg: 'ES256' }), 'no known key'],
      ['app', `${head}.${body}.AAAA`, 'no known key'],
      ['app', jwt(claims, rsa.privateKey, { alg: 'none' }), 'no known key'],
      ['app', 'a.b', 'error parsing token'],
      ['app', jwt({ ...claims, exp: seconds - 61 }), '(exp)'],
      ['app', jwt({ ...claims, nbf: seconds + 61 }), '(nbf)'],
      ['app', jwt({ ...claims, exp: undefined }), 'no issued at'],
      ['app', jwt({ ...claims, iss: 'https://other.example.com' }), '(iss)'],
      ['app', jwt({ ...claims, sub: 'repo:team/other' }), '(sub)'],
      ['app', jwt({ ...claims, aud: 'others' }), '(aud)'],
      ['open', jwt(claims), 'no audiences bound'],
      ['main', jwt({ ...claims, ref: 'branch' }), 'claim "ref"'],
      ['none', jwt(claims), 'role "none" could not be found'],
    ] as const) {
      const refused = await login('jwt', { role, jwt: token });
      expect(refused).toMatch(/^400 /);
      expect(refused).toContain(words);
    }
  });
});

describe('tokens of Google’s', () => {
  const email = 'sync@project.iam.gserviceaccount.com';
  const claims = { sub: email, aud: 'vault/worker', exp: seconds + 600 };
  const own = { alg: 'RS256', kid: 'own' };
  const google = { alg: 'RS256', kid: 'google' };

  async function startWithGcp() {
    const { auth } = await start();
    auth.enable('gcp');
    auth.gcpKey(email, 'own', publicPem(rsa.publicKey));
    auth.gcpKey(null, 'google', publicPem(rsa.publicKey));
    const settings = { policies: ['reader'], boundServiceAccounts: [email] };
    auth.gcpRole('worker', { ...settings, type: 'iam' });
    auth.gcpRole('machine', { ...settings, type: 'gce' });
  }

  test('a service account’s own, or one of its machine’s, lets in', async () => {
    await startWithGcp();
    const machine = {
      sub: '1234567890',
      email,
      aud: 'http://vault/machine',
      exp: seconds + 3600,
      google: { compute_engine: { instance_id: '7' } },
    };
    expect(await login('gcp', { role: 'worker', jwt: jwt(claims, rsa.privateKey, own) })).toBe('default,reader');
    expect(await login('gcp', { role: 'machine', jwt: jwt(machine, rsa.privateKey, google) })).toBe('default,reader');
  });

  test('anything else is refused', async () => {
    await startWithGcp();
    const other = 'other@project.iam.gserviceaccount.com';
    for (const [role, token, words] of [
      ['worker', jwt(claims, curve.privateKey, own), 'cryptographic'],
      ['worker', jwt(claims, rsa.privateKey, { alg: 'RS256', kid: 'x' }), 'unable to get public key'],
      ['worker', jwt({ ...claims, sub: other }, rsa.privateKey, own), 'unable to get public key'],
      ['worker', jwt({ ...claims, sub: other }, rsa.privateKey, google), 'not authorized'],
      ['worker', jwt({ ...claims, exp: seconds - 61 }, rsa.privateKey, own), 'expired'],
      ['worker', jwt({ ...claims, exp: seconds + 901 }, rsa.privateKey, own), 'expire within 900 seconds'],
      ['worker', jwt({ ...claims, exp: seconds + 4000 }, rsa.privateKey, own), 'expire in 60 minutes'],
      ['worker', jwt({ ...claims, aud: 'vault/other' }, rsa.privateKey, own), 'must end in "vault/worker"'],
      ['worker', jwt({ ...claims, aud: 'vault/worker-2' }, rsa.privateKey, own), 'must end in "vault/worker"'],
      ['machine', jwt({ ...claims, aud: 'vault/machine' }, rsa.privateKey, google), 'GCE metadata'],
      ['machine', jwt({ ...claims, aud: 'vault/machine' }, rsa.privateKey, own), 'unable to get public key'],
      ['none', jwt(claims, rsa.privateKey, own), 'role "none" not found'],
    ] as const) {
      const refused = await login('gcp', { role, jwt: token });
      expect(refused).toMatch(/^400 /);
      expect(refused).toContain(words);
    }
  });
});

describe('client certificates', () => {
  const tls = { cert: pem('server'), key: pem('server-key'), clientCa: pem('ca'), clientCertRequired: false };
  const client = { cert: pem('client'), key: pem('client-key') };

  function loginOver(shown: object, name?: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const options = { method: 'POST', ca: pem('ca'), agent: false, ...shown };
      request(`${emulator.url}/v1/auth/cert/login`, options, async (response) => {
        const chunks: Buffer[] = [];
        for await (const chunk of response) chunks.push(chunk);
        const answer = JSON.parse(Buffer.concat(chunks).toString());
        resolve(answer.auth?.policies.join() ?? answer.errors[0]);
      })
        .on('error', reject)
        .end(JSON.stringify({ name }));
    });
  }

  test('one of a trusted authority lets in, for the role that it fits', async () => {
    const { auth } = await start({ tls });
    auth.enable('cert');
    auth.certRole('strangers', { policies: ['none'], certificate: pem('ca'), allowedCommonNames: ['other-*'] });
    auth.certRole('clients', { policies: ['reader'], certificate: pem('ca'), allowedCommonNames: ['cli*'] });
    auth.certRole('this', { policies: ['this'], certificate: pem('client') });
    auth.certRole('server', { policies: ['none'], certificate: pem('server') });
    expect(await loginOver(client)).toBe('default,reader');
    expect(await loginOver(client, 'this')).toBe('default,this');
    expect(await loginOver(client, 'strangers')).toContain('no chain matching all constraints');
    expect(await loginOver(client, 'server')).toContain('invalid certificate');
    expect(await loginOver({})).toBe('client certificate must be supplied');
  });

  test('one that is not good yet lets nobody in, and neither does a connection without TLS', async () => {
    const { auth } = await start({ tls, now: () => Date.parse('2020-01-01') });
    auth.enable('cert');
    auth.certRole('clients', { policies: ['reader'], certificate: pem('ca') });
    expect(await loginOver(client)).toContain('invalid certificate');
    await emulator.close();
    (await start()).auth.enable('cert');
    expect(await login('cert', {})).toBe('400 tls connection required');
  });
});

describe('a request that AWS would be asked', () => {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const good = {
    iam_http_request_method: 'POST',
    iam_request_url: base64('https://sts.amazonaws.com/'),
    iam_request_body: base64('Action=GetCallerIdentity&Version=2011-06-15'),
    iam_request_headers: base64('{"X-Amz-Date":"20270101T000000Z"}'),
  };

  test('must be one for GetCallerIdentity, whole, and signed', async () => {
    const { auth } = await start();
    auth.enable('aws');
    for (const [change, words] of [
      [{ iam_http_request_method: 'GET' }, "only 'POST'"],
      [{ iam_http_request_method: undefined }, 'missing iam_http_request_method'],
      [{ iam_request_url: undefined }, 'missing iam_request_url'],
      [{ iam_request_url: base64('https://sts.amazonaws.com/?Action=GetUser') }, 'invalid request'],
      [{ iam_request_body: undefined }, 'missing iam_request_body'],
      [{ iam_request_body: base64('Action=AssumeRole&Version=2011-06-15') }, 'invalid iam_request_body'],
      [{ iam_request_headers: undefined }, 'missing iam_request_headers'],
      [{ iam_request_headers: base64('{"X-Amz-Other":["a"]}') }, 'invalid request header'],
      [{}, 'error code 403 from STS'],
    ] as const)
      expect(await login('aws', { ...good, ...change })).toContain(words);
  });

  test('must have the server’s id where the server has one', async () => {
    const { auth } = await start();
    auth.enable('aws');
    auth.awsConfig({ serverId: 'vault.example.com' });
    const withHeaders = (headers: object) =>
      login('aws', { ...good, iam_request_headers: base64(JSON.stringify(headers)) });
    expect(await withHeaders({ Authorization: 'x' })).toContain('missing header');
    expect(await withHeaders({ 'X-Vault-AWS-IAM-Server-ID': 'other' })).toContain('but got "other"');
    expect(await withHeaders({ 'X-Vault-AWS-IAM-Server-ID': ['vault.example.com'] })).toContain("wasn't signed");
  });
});

test('another process sets them up, and finds them again after a restart', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'keyferry-emulator-'));
  const stateFile = join(folder, 'state.json');
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const first = await spawnEmulator('hashicorp', { stateFile });
  const policies = ['reader'];
  const email = 'sync@project.iam.gserviceaccount.com';
  for (const type of ['jwt', 'gcp', 'aws', 'cert'] as const) await first.control('enableAuth', { type });
  await first.control('jwtConfig', { keys: [publicPem(rsa.publicKey)] });
  await first.control('jwtRole', { name: 'app', policies });
  await first.control('gcpRole', { name: 'app', type: 'iam', boundServiceAccounts: ['*'], policies });
  await first.control('gcpKey', { email, keyId: 'k1', publicKey: publicPem(rsa.publicKey) });
  await first.control('awsConfig', { serverId: 'vault.example.com' });
  await first.control('awsRole', { name: 'app', boundPrincipals: ['*'], policies });
  await first.control('awsKey', {
    accessKeyId: 'AKIAEXAMPLE',
    secretAccessKey: 'none',
    arn: 'arn:aws:iam::1:user/app',
  });
  await first.control('certRole', { name: 'app', certificate: pem('ca'), policies });
  await first.stop();

  const second = await spawnEmulator('hashicorp', { stateFile });
  onTestFinished(() => second.stop());
  const exp = Date.now() / 1000 + 60;
  for (const [mount, claims] of [
    ['jwt', { sub: 'app', exp }],
    ['gcp', { sub: email, aud: 'vault/app', exp }],
  ] as const) {
    const body = { role: 'app', jwt: jwt(claims, rsa.privateKey, { alg: 'RS256', kid: 'k1' }) };
    const { status } = await fetch(`${second.url}/v1/auth/${mount}/login`, {
      method: 'POST',
      body: JSON.stringify(body),
    });
    expect([mount, status]).toEqual([mount, 200]);
  }
});

test('a path with what can’t be printed is refused', async () => {
  const { status } = await ask(await start(), `secret/data/${encodeURIComponent('a\u0007b')}`);
  expect(status).toBe(400);
});
