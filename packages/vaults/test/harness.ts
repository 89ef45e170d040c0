import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { startVaultEmulator, type VaultEmulator, type VaultEmulatorOptions } from '@keyferry/emulators';
import { onTestFinished } from 'vitest';
import { hashicorp } from '../src/hashicorp/index.ts';
import type { ConnectContext, VaultBackend } from '../src/index.ts';
import { patient, TestClock, type TestContext, testContext } from './support.ts';

export interface Bench extends TestContext {
  vault: VaultEmulator;
  clock: TestClock;
  /** A backend with these settings over the emulator's address and root token. */
  connect(settings?: Record<string, unknown>, context?: ConnectContext): Promise<VaultBackend>;
  /** What is to be stored in place of one-time credentials, for the same settings. */
  exchange(settings?: Record<string, unknown>): Promise<Record<string, unknown>>;
}

/** An emulator and backends on it, all ended with the test. */
export async function startBench(options: VaultEmulatorOptions = {}): Promise<Bench> {
  const clock = new TestClock();
  const vault = await startVaultEmulator({ now: clock.now, ...options });
  onTestFinished(() => vault.close());
  const { context, calls, files } = testContext(clock);
  const configOf = (settings: Record<string, unknown>) =>
    hashicorp.configSchema.parse({
      address: vault.url,
      auth: { method: 'token', token: vault.rootToken },
      ...settings,
    });
  const connect = async (settings: Record<string, unknown> = {}, own = context) => {
    const backend = await hashicorp.connect(configOf(settings), own);
    onTestFinished(() => backend.close());
    return backend;
  };
  const exchange = async (settings: Record<string, unknown> = {}) =>
    (await hashicorp.exchange?.(configOf(settings), context, patient)) ?? {};
  return { vault, clock, context, calls, files, connect, exchange };
}

export const readOnly = (mount = 'secret') => ({
  [`${mount}/data/*`]: ['read'] as const,
  [`${mount}/metadata/*`]: ['read', 'list'] as const,
});

/** A pair of keys as an issuer has one, with the public one as vaults take it. */
export function issuerKeys() {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { privateKey, publicPem: publicKey.export({ type: 'spki', format: 'pem' }).toString() };
}

/** A JSON web token, signed by RS256. */
export function signJwt(claims: object, key: KeyObject, header: object = {}): string {
  const parts = [{ alg: 'RS256', typ: 'JWT', ...header }, claims];
  const signed = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${signed}.${sign('sha256', Buffer.from(signed), key).toString('base64url')}`;
}
