import type { EmulatorServer } from '../http/server.ts';
import { done, type Handlers, type SeedControls, type ServerControls, serverHandlers } from '../process/control.ts';
import type { AwsEmulator } from './emulator.ts';
import type { OperationRates } from './quotas.ts';

/** What another process may ask of an emulator: arguments and result of each operation, all of them JSON. */
export interface AwsControls extends ServerControls, SeedControls {
  /** Writes text. */
  put: { args: { name: string; value: string; tags?: Record<string, string> }; result: { versionId: string } };
  remove: { args: { name: string; windowInDays?: number }; result: null };
  destroy: { args: { name: string }; result: null };
  names: { args: object; result: string[] };
  quota: { args: { rates: OperationRates | 'published' | null }; result: null };
}

/** The operations on one emulator, by name. */
export function awsControlHandlers(emulator: AwsEmulator, server: EmulatorServer): Handlers<AwsControls> {
  const { secrets } = emulator;
  return {
    ...serverHandlers(server),
    seed: ({ count, prefix = 'bifrost', groups = 100 }) => {
      for (let index = 0; index < count; index++) {
        const group = String(index % groups).padStart(4, '0');
        const name = `${prefix}/group-${group}/key-${String(index).padStart(7, '0')}`;
        secrets.put(name, `emulated-value-of-${index}-version-1`);
      }
      return null;
    },
    change: ({ share }) => {
      const step = Math.max(1, Math.round(1 / share));
      const changed = secrets.names().filter((_name, index) => index % step === 0);
      for (const name of changed) {
        const next = versionsOf(emulator, name) + 1;
        secrets.put(name, `emulated-value-of-${name}-version-${next}`);
      }
      return { changed };
    },
    put: ({ name, value, tags }) => ({ versionId: secrets.put(name, value, tags && { tags }) }),
    remove: ({ name, windowInDays }) => done(secrets.remove(name, windowInDays)),
    destroy: ({ name }) => done(secrets.destroy(name)),
    names: () => secrets.names(),
    quota: ({ rates }) => done(emulator.setQuota(rates)),
  };
}

/** The number in the value that was written last, where it is one of these. */
function versionsOf({ secrets }: AwsEmulator, name: string): number {
  return Number(/-version-(\d+)$/.exec(String(secrets.get(name)?.value))?.[1] ?? 0);
}
