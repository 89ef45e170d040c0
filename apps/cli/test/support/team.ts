import type { VaultEmulator } from '@keyferry/emulators';

let count = 0;

/** A mount of a test's own. Its name is the backend's and the prefix too, so that no two tests meet. */
export function newTeam(vault: VaultEmulator): string {
  const name = `team-${++count}`;
  vault.mounts.enable(name, { type: 'kv', version: 2 });
  return name;
}

/** The options of `backend add` for it. */
export const optionsOf = (vault: VaultEmulator, name: string): string[] => [
  ...['--address', vault.url, '--mount', name, '--prefix', name, '--token', vault.rootToken],
];
