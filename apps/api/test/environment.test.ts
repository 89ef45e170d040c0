import { expect, test } from 'vitest';
import { readEnvironment } from '../src/environment.ts';

const least = {
  DATABASE_URL: 'postgres://localhost/keyferry',
  REDIS_URL: 'redis://localhost',
  KEYFERRY_API_TOKEN_FILE: '/state/token',
};

test('addresses and a token are needed; the rest has defaults', () => {
  expect(readEnvironment({ ...least, KEYFERRY_API_HOST: '', KEYFERRY_MASTER_KEY: '' })).toEqual({
    databaseUrl: least.DATABASE_URL,
    redisUrl: least.REDIS_URL,
    queuePrefix: '{keyferry}',
    masterKey: { text: undefined, file: undefined, transit: undefined, kms: undefined, previous: undefined },
    token: { text: undefined, file: '/state/token' },
    revokeToken: null,
    allowedEnvironment: [],
    allowedFiles: [],
    allowedIdentities: [],
    auditReads: true,
    egress: { ranges: [], hosts: new Set() },
    allowedVaults: { ranges: [], hosts: new Set() },
    checkIntervalMs: 3_600_000,
    host: '127.0.0.1',
    port: 8420,
    limits: { identity: 1_200_000, address: 2_400_000, refused: 120 },
    trustedProxies: [],
    certificates: null,
  });
});

test('revoking has a token of its own where one is named', () => {
  const revokeToken = (env: Record<string, string>) => readEnvironment({ ...least, ...env }).revokeToken;
  expect(revokeToken({ KEYFERRY_REVOKE_TOKEN: 'a token' })).toEqual({ text: 'a token', file: undefined });
  expect(revokeToken({ KEYFERRY_REVOKE_TOKEN_FILE: '/state/r' })).toEqual({ text: undefined, file: '/state/r' });
  expect(revokeToken({ KEYFERRY_REVOKE_TOKEN: '' })).toBeNull();
});

test('proxied values are looked at as often as a duration says', () => {
  const interval = (text: string) => readEnvironment({ ...least, KEYFERRY_CHECK_INTERVAL: text }).checkIntervalMs;
  expect(interval('5m')).toBe(300_000);
  expect(interval('')).toBe(3_600_000);
  for (const wrong of ['30s', '2d', 'soon', '-1h'])
    expect(() => interval(wrong)).toThrow('KEYFERRY_CHECK_INTERVAL has to be a duration between 1m and 24h, as 1h.');
});

test('names of variables that backends may refer to are separated by commas', () => {
  const { allowedEnvironment } = readEnvironment({ ...least, KEYFERRY_ALLOWED_ENV: 'VAULT_TOKEN,TEAM_*,' });
  expect(allowedEnvironment).toEqual(['VAULT_TOKEN', 'TEAM_*']);
});

test('files that backends may name are absolute paths, separated by commas', () => {
  const { allowedFiles } = readEnvironment({ ...least, KEYFERRY_ALLOWED_FILES: '/run/token,/run/tokens/*' });
  expect(allowedFiles).toEqual(['/run/token', '/run/tokens/*']);
});

test.each([
  ['DATABASE_URL', ''],
  ['DATABASE_URL', 'mysql://user:canary@host/db'],
  ['REDIS_URL', ''],
  ['REDIS_URL', 'canary'],
  ['KEYFERRY_API_PORT', 'canary'],
  ['KEYFERRY_API_PORT', '65536'],
  ['KEYFERRY_API_TOKEN_FILE', ''],
  ['KEYFERRY_ALLOWED_FILES', '/run/token,token'],
  ['KEYFERRY_ALLOWED_EGRESS', '10.0.0.0/8,*.internal'],
  ['KEYFERRY_ALLOWED_VAULTS', 'https://vault.internal'],
  ['KEYFERRY_LIMIT_IDENTITY', 'canary'],
  ['KEYFERRY_LIMIT_ADDRESS', '-1'],
  ['KEYFERRY_LIMIT_REFUSED', '1.5'],
  ['KEYFERRY_TRUSTED_PROXIES', '10.0.0.0/8,proxy.internal'],
  ['KEYFERRY_TRUSTED_PROXIES', 'true'],
  ['KEYFERRY_API_TLS_CERT_FILE', '/canary/cert.pem'],
  ['KEYFERRY_API_TLS_CLIENT_CA_FILE', '/canary/ca.pem'],
])('%s = "%s" is refused by its name, and what it holds is not repeated', (name, value) => {
  let message = '';
  try {
    readEnvironment({ ...least, [name]: value });
  } catch (error) {
    message = String(error);
  }
  expect(message).toContain(name);
  expect(message).not.toContain('canary');
});
