import type { EmulatorServer } from '../http/server.ts';
import { done, type Handlers, type SeedControls, type ServerControls, serverHandlers } from '../process/control.ts';
import type { Denial } from './access.ts';
import type { GcpEmulator } from './emulator.ts';
import type { GcpQuotas } from './quotas.ts';
import type { SecretOptions } from './secrets-handle.ts';
import type { VersionState } from './store.ts';

/** What another process may ask of an emulator: arguments and result of each operation, all of them JSON. */
export interface GcpControls extends ServerControls, SeedControls {
  put: { args: Omit<SecretOptions, 'expiresAt'> & { id: string; value: string }; result: { version: number } };
  delete: { args: { id: string }; result: null };
  setState: { args: { id: string; state: VersionState; version?: number }; result: null };
  ids: { args: object; result: string[] };
  deny: { args: Denial & { identity?: string }; result: null };
  /** Makes every token that was given out so far invalid. */
  revokeTokens: { args: object; result: null };
  quota: { args: { quota: 'published' | Partial<GcpQuotas> | null }; result: null };
}

/** The operations on one emulator, by name. Secrets are those of its first project. */
export function controlHandlers(emulator: GcpEmulator, server: EmulatorServer): Handlers<GcpControls> {
  // Looked up each time: a state that is restored brings its own.
  const secrets = () => emulator.secrets();
  return {
    ...serverHandlers(server),
    seed: ({ count, prefix = 'bifrost', groups = 100 }) =>
      done(
        secrets().seed(count, (index) => {
          const group = String(index % groups).padStart(4, '0');
          const id = `${prefix}--group-${group}--key-${String(index).padStart(7, '0')}`;
          return { id, value: `emulated-value-of-${index}-version-1` };
        }),
      ),
    change: ({ share }) => {
      const step = Math.max(1, Math.round(1 / share));
      const changed = secrets()
        .ids()
        .filter((_id, index) => index % step === 0);
      for (const id of changed) {
        const next = (secrets().get(id)?.versions ?? 0) + 1;
        secrets().put(id, `emulated-value-of-${id}-version-${next}`);
      }
      return { changed };
    },
    put: ({ id, value, ...options }) => ({ version: secrets().put(id, value, options) }),
    delete: ({ id }) => done(secrets().delete(id)),
    setState: ({ id, state, version }) => done(secrets().setState(id, state, version)),
    ids: () => secrets().ids(),
    deny: ({ identity = emulator.owner, ...denial }) => done(emulator.identities.deny(identity, denial)),
    revokeTokens: () => done(emulator.revokeTokens()),
    quota: ({ quota }) => done(emulator.setQuota(quota)),
  };
}
