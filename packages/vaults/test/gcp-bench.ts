import { type GcpEmulator, type GcpEmulatorOptions, startGcpEmulator } from '@keyferry/emulators';
import { onTestFinished } from 'vitest';
import { gcp } from '../src/gcp/index.ts';
import type { VaultBackend } from '../src/index.ts';
import { TestClock, type TestContext, testContext } from './support.ts';

export interface GcpBench extends TestContext {
  vault: GcpEmulator;
  clock: TestClock;
  secrets: ReturnType<GcpEmulator['secrets']>;
  /** A backend with these settings over the emulator's project, address and key of its owner. */
  connect(settings?: Record<string, unknown>): Promise<VaultBackend>;
  /** How often an operation was asked for. */
  asked(operation: string): number;
}

/** An emulator and backends on it, all ended with the test. Calls are made once, without retries or deadlines. */
export async function startBench(options: GcpEmulatorOptions = {}, clock = new TestClock()): Promise<GcpBench> {
  const vault = await startGcpEmulator({ now: clock.now, ...options });
  onTestFinished(() => vault.close());
  const context = testContext(clock);
  return {
    ...context,
    vault,
    clock,
    get secrets() {
      return vault.secrets();
    },
    async connect(settings = {}) {
      const config = gcp.configSchema.parse({ ...settingsOf(vault), ...settings });
      const backend = await gcp.connect(config, context.context);
      onTestFinished(() => backend.close());
      return backend;
    },
    asked: (operation) => vault.requests.counts[operation] ?? 0,
  };
}

function settingsOf(vault: GcpEmulator): Record<string, unknown> {
  return {
    project_id: vault.projectId,
    endpoint: vault.url,
    auth: { method: 'service_account', credentials_json: vault.identities.keyFile(vault.owner) },
  };
}

/** A clock that shows the time of the machine: for what signs by that. */
export function realClock(): TestClock {
  const clock = new TestClock();
  clock.time = Date.now();
  return clock;
}

/** An answer of the vault's own shape in the place of the real one. */
export function answering(body: object, status = 200) {
  return { kind: 'status', status, body } as const;
}
