import { writeFileSync } from 'node:fs';
import { KeyferryError } from '@keyferry/core';
import { type SpawnedEmulator, spawnVaultEmulator } from '@keyferry/emulators';
import { type DemoVault, type Home, readHomeFile } from '../home.ts';
import { isFree } from './port.ts';

/**
 * Starts the bundled vault with the demo's secrets, as they were left. It keeps its port where it can, so that addresses
 * written down stay right.
 */
export async function startDemoVault(home: Home): Promise<SpawnedEmulator> {
  const before = readHomeFile<DemoVault>(home.demoVault);
  const port = before ? Number(new URL(before.url).port) : 0;
  const usable = port > 0 && (await isFree('127.0.0.1', port));
  try {
    const vault = await spawnVaultEmulator({ port: usable ? port : 0, demo: true, stateFile: home.demoSecrets });
    const left: DemoVault = { url: vault.url, root_token: vault.rootToken };
    writeFileSync(home.demoVault, JSON.stringify(left), { mode: 0o600 });
    return vault;
  } catch {
    throw new KeyferryError(
      'setup_failed',
      `The demo vault did not start; without ${home.demoSecrets} it begins anew.`,
    );
  }
}
