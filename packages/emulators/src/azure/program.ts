import { randomUUID } from 'node:crypto';
import { controlOf } from '../process/control.ts';
import type { EmulatorProgram } from '../process/program.ts';
import { controlHandlers } from './control.ts';
import { seedDemo } from './demo.ts';
import { type AzureEmulator, type AzureEmulatorOptions, internalsOf, startAzureEmulator } from './emulator.ts';
import { restoreState, type Snapshot, snapshotOf } from './snapshot.ts';

/**
 * The vault speaks http on `port`, its directory https on `authority-port` with a certificate of its own, which is told
 * as `ca_cert`. One application may do everything. With a state file, certificate and port stay as they were told.
 */
export const azureProgram: EmulatorProgram = {
  settings: ['authority-port'],
  async start({ setting, seed, demo, ...options }) {
    const snapshot = options.snapshot as Snapshot | null;
    const emulator = await startWhereFree({
      ...options,
      authorityPort: snapshot?.authority.port ?? Number(setting('authority-port') ?? 0),
      ...(snapshot !== null && { authorityCertificate: snapshot.authority }),
    });
    const { state, server, authority } = internalsOf(emulator);
    const handlers = controlHandlers(emulator, server);
    if (snapshot !== null) restoreState(state, snapshot);
    const { clientId, clientSecret } = snapshot ?? newClient(emulator);
    const controlToken = snapshot?.controlToken ?? randomUUID();
    if (snapshot === null) {
      if (demo) seedDemo(emulator);
      if (seed > 0) handlers.seed({ count: seed });
    }
    return {
      server,
      credentials: {
        tenant_id: emulator.tenantId,
        client_id: clientId,
        client_secret: clientSecret,
        authority_host: emulator.authorityUrl,
        ca_cert: emulator.caCert,
      },
      controlToken,
      control: controlOf(handlers),
      snapshot: () => {
        if (authority === null) throw new Error('the emulator of a process has a directory of its own');
        return snapshotOf(state, { controlToken, clientId, clientSecret, authority });
      },
    };
  },
};

/** Another directory's port where the one from before is taken: whoever was told that one has to be told anew. */
async function startWhereFree(options: AzureEmulatorOptions): Promise<AzureEmulator> {
  try {
    return await startAzureEmulator(options);
  } catch (error) {
    const taken = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
    if (!taken || !options.authorityPort) throw error;
    return startAzureEmulator({ ...options, authorityPort: 0 });
  }
}

function newClient({ applications }: AzureEmulator): { clientId: string; clientSecret: string } {
  const clientId = applications.register();
  return { clientId, clientSecret: applications.addSecret(clientId) };
}
