import { randomBytes } from 'node:crypto';
import { controlOf } from '../process/control.ts';
import type { EmulatorProgram } from '../process/program.ts';
import { controlHandlers } from './control.ts';
import { seedDemo } from './demo.ts';
import { internalsOf, startGcpEmulator } from './emulator.ts';
import { restoreState, type Snapshot, snapshotOf } from './snapshot.ts';

/** A seed goes into the one project. Its credential is the key file of a service account that may do everything there. */
export const gcpProgram: EmulatorProgram = {
  settings: ['project-id', 'quota'],
  async start({ setting, seed, demo, ...options }) {
    const snapshot = options.snapshot as Snapshot | null;
    const projectId = snapshot?.projects[0]?.id ?? setting('project-id');
    const quota = setting('quota') ?? 'none';
    if (quota !== 'none' && quota !== 'published') throw new Error('--quota must be none or published');
    const emulator = await startGcpEmulator({ ...options, ...(projectId !== undefined && { projectId }) });
    const { state, server } = internalsOf(emulator);
    const handlers = controlHandlers(emulator, server);
    if (snapshot !== null) restoreState(state, snapshot);
    else {
      if (demo) seedDemo(emulator.secrets(), state.clock.now());
      if (seed > 0) handlers.seed({ count: seed });
    }
    emulator.setQuota(quota === 'published' ? quota : null);
    const controlToken = snapshot?.controlToken ?? randomBytes(24).toString('base64url');
    return {
      server,
      credentials: {
        project_id: emulator.projectId,
        credentials_json: emulator.identities.keyFile(emulator.owner),
      },
      controlToken,
      control: controlOf(handlers),
      snapshot: () => snapshotOf(state, controlToken),
    };
  },
};
