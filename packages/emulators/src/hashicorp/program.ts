import { controlOf } from '../process/control.ts';
import type { EmulatorProgram } from '../process/program.ts';
import { controlHandlers } from './control.ts';
import { demoMount, seedDemo } from './demo.ts';
import { internalsOf, startVaultEmulator } from './emulator.ts';
import { restoreState, type Snapshot, snapshotOf } from './snapshot.ts';

/** A seed goes into the mount `secret`, KV version 2. The root token is its credential, and its control token. */
export const hashicorpProgram: EmulatorProgram = {
  settings: ['flavour', 'root-token'],
  async start({ setting, seed, demo, ...options }) {
    const flavour = setting('flavour') ?? 'vault';
    if (flavour !== 'vault' && flavour !== 'openbao') throw new Error('--flavour must be vault or openbao');
    const snapshot = options.snapshot as Snapshot | null;
    const rootToken = snapshot?.rootToken ?? setting('root-token');
    const emulator = await startVaultEmulator({ ...options, flavour, ...(rootToken !== undefined && { rootToken }) });
    const { state, server } = internalsOf(emulator);
    const handlers = controlHandlers(emulator, server);
    if (snapshot !== null) restoreState(state, snapshot);
    else {
      if (demo) seedDemo(emulator);
      else if (seed > 0) emulator.mounts.enable(demoMount, { type: 'kv', version: 2 });
      if (seed > 0) handlers.seed({ mount: demoMount, count: seed });
    }
    return {
      server,
      credentials: { root_token: emulator.rootToken },
      controlToken: emulator.rootToken,
      control: controlOf(handlers),
      snapshot: () => snapshotOf(state, emulator.rootToken),
    };
  },
};
