import type { EmulatorServer } from '../http/server.ts';
import { done, type Handlers, type SeedControls, type ServerControls, serverHandlers } from '../process/control.ts';
import type { AzureEmulator } from './emulator.ts';
import type { QuotaSettings } from './quota.ts';

/** What another process may ask of an emulator: arguments and result of each operation, all of them JSON. */
export interface Controls extends ServerControls, SeedControls {
  put: {
    args: { name: string; value: string; contentType?: string; tags?: Record<string, string>; expires?: string };
    result: { version: string };
  };
  disable: { args: { name: string }; result: null };
  enable: { args: { name: string }; result: null };
  delete: { args: { name: string }; result: null };
  purge: { args: { name: string }; result: null };
  names: { args: object; result: string[] };
  revokeTokens: { args: object; result: null };
  quota: { args: { quota: QuotaSettings | 'published' | null }; result: null };
}

export function controlHandlers(emulator: AzureEmulator, server: EmulatorServer): Handlers<Controls> {
  const { secrets } = emulator;
  return {
    ...serverHandlers(server),
    seed: ({ count, prefix = 'bifrost', groups = 100 }) => {
      for (let index = 0; index < count; index++) secrets.put(seededName(index, prefix, groups), seededValue(index, 1));
      return null;
    },
    change: ({ share }) => {
      const step = Math.max(1, Math.round(1 / share));
      const changed = secrets.names().filter((_name, index) => index % step === 0);
      for (const name of changed) {
        const next = secrets.versions(name).length + 1;
        secrets.put(name, seededValue(Number(/\d+$/.exec(name)?.[0] ?? 0), next));
      }
      return { changed };
    },
    put: ({ name, value, expires, ...options }) => ({
      version: secrets.put(name, value, { ...options, ...(expires !== undefined && { expires: new Date(expires) }) }),
    }),
    disable: ({ name }) => done(secrets.disable(name)),
    enable: ({ name }) => done(secrets.enable(name)),
    delete: ({ name }) => done(secrets.delete(name)),
    purge: ({ name }) => done(secrets.purge(name)),
    names: () => secrets.names(),
    revokeTokens: () => done(emulator.revokeTokens()),
    quota: ({ quota }) => done(emulator.setQuota(quota)),
  };
}

/** As `<prefix>/group-0042/key-0012345` is written in a vault without slashes. */
export function seededName(index: number, prefix = 'bifrost', groups = 100): string {
  const group = String(index % groups).padStart(4, '0');
  return `${prefix}--group-${group}--key-${String(index).padStart(7, '0')}`;
}

function seededValue(index: number, version: number): string {
  return `emulated-value-of-${index}-version-${version}`;
}
