import { type AzureEmulator, type AzureEmulatorOptions, startAzureEmulator } from '@keyferry/emulators';
import { onTestFinished } from 'vitest';
import { azure } from '../src/azure/index.ts';
import type { ConnectContext, VaultBackend } from '../src/index.ts';
import { TestClock, type TestContext, testContext } from './support.ts';

export interface AzureBench extends TestContext {
  vault: AzureEmulator;
  clock: TestClock;
  clientId: string;
  clientSecret: string;
  /** Settings of the one application, or with another `auth`. */
  settings(parts?: Record<string, unknown>): Record<string, unknown>;
  connect(parts?: Record<string, unknown>, context?: ConnectContext): Promise<VaultBackend>;
  /** How often the directory was asked for a token. */
  logins(): number;
}

/**
 * An emulator and backends on it, all ended with the test. The clock begins now, since the SDK stamps what it signs by
 * the process's own.
 */
export async function startBench(options: AzureEmulatorOptions = {}): Promise<AzureBench> {
  const clock = new TestClock();
  clock.time = Math.floor(Date.now() / 1000) * 1000;
  const vault = await startAzureEmulator({ now: clock.now, ...options });
  onTestFinished(() => vault.close());
  const clientId = vault.applications.register();
  const clientSecret = vault.applications.addSecret(clientId);
  const tested = testContext(clock);
  const settings = (parts: Record<string, unknown> = {}) => ({
    vault_url: vault.url,
    authority_host: vault.authorityUrl,
    tls: { ca_cert: vault.caCert },
    auth: { method: 'client_secret', tenant_id: vault.tenantId, client_id: clientId, client_secret: clientSecret },
    ...parts,
  });
  const connect = async (parts?: Record<string, unknown>, context = tested.context) => {
    const backend = await azure.connect(azure.configSchema.parse(settings(parts)), context);
    onTestFinished(() => backend.close());
    return backend;
  };
  const logins = () => vault.requests.counts.Token ?? 0;
  return { vault, clock, clientId, clientSecret, settings, connect, logins, ...tested };
}
