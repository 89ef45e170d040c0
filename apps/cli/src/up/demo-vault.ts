import { writeFileSync } from 'node:fs';
import { KeyferryError } from '@keyferry/core';
import { type EmulatorKind, type SpawnedEmulator, spawnEmulator } from '@keyferry/emulators';
import { type DemoVault, type Home, readHomeFile } from '../home.ts';
import { isFree } from './port.ts';

/**
 * Starts a bundled vault with the demo's secrets, as they were left. It keeps its port where it can, so that addresses
 * written down stay right.
 */
export async function startDemoVault<Kind extends EmulatorKind>(
  home: Home,
  kind: Kind,
): Promise<SpawnedEmulator<Kind>> {
  const { address, secrets } = home.demoVault(kind);
  const before = readHomeFile<DemoVault>(address);
  const port = before ? Number(new URL(before.url).port) : 0;
  const usable = port > 0 && (await isFree('127.0.0.1', port));
  try {
    const vault = await spawnEmulator(kind, { port: usable ? port : 0, demo: true, stateFile: secrets });
    const left: DemoVault = { url: vault.url, control_token: vault.controlToken, ...vault.credentials };
    writeFileSync(address, JSON.stringify(left), { mode: 0o600 });
    return vault;
  } catch {
    throw new KeyferryError(
      'setup_failed',
      `The demo vault (${kind}) did not start; without ${secrets} it begins anew.`,
    );
  }
}
