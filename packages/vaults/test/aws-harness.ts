import { type AwsEmulator, type AwsEmulatorOptions, type AwsStatement, startAwsEmulator } from '@keyferry/emulators';
import { onTestFinished } from 'vitest';
import { aws } from '../src/aws/index.ts';
import type { ConnectContext, VaultBackend } from '../src/index.ts';
import { TestClock, type TestContext, testContext } from './support.ts';

export const everything: AwsStatement = { actions: ['*'] };

export interface AwsBench extends TestContext {
  vault: AwsEmulator;
  clock: TestClock;
  /** A backend with these settings over the emulator's address, region and operator's key. */
  connect(settings?: Record<string, unknown>, context?: ConnectContext): Promise<VaultBackend>;
}

/** An emulator and backends on it, all ended with the test. */
export async function startAwsBench(options: AwsEmulatorOptions = {}): Promise<AwsBench> {
  const clock = new TestClock();
  const vault = await startAwsEmulator({ now: clock.now, ...options });
  onTestFinished(() => vault.close());
  const parts = testContext(clock);
  const connect = async (settings: Record<string, unknown> = {}, own = parts.context) => {
    const config = aws.configSchema.parse({
      region: vault.region,
      endpoint: vault.url,
      sts_endpoint: vault.url,
      auth: staticAuth(vault.operator),
      ...settings,
    });
    const backend = await aws.connect(config, own);
    onTestFinished(() => backend.close());
    return backend;
  };
  return { vault, clock, connect, ...parts };
}

interface Key {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string | null;
}

/** Settings of `auth` with these keys. */
export function staticAuth({ accessKeyId, secretAccessKey, sessionToken }: Key, more: object = {}) {
  return {
    method: 'static',
    access_key_id: accessKeyId,
    secret_access_key: secretAccessKey,
    ...(sessionToken && { session_token: sessionToken }),
    ...more,
  };
}

/** Sets a variable of the environment for as long as the test runs; undefined unsets it. */
export function setVariables(variables: Record<string, string | undefined>): void {
  for (const [name, value] of Object.entries(variables)) {
    const before = process.env[name];
    const set = (text: string | undefined) => {
      if (text === undefined) delete process.env[name];
      else process.env[name] = text;
    };
    set(value);
    onTestFinished(() => set(before));
  }
}
