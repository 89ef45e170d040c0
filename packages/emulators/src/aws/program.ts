import { controlOf } from '../process/control.ts';
import type { EmulatorProgram } from '../process/program.ts';
import { awsControlHandlers } from './control.ts';
import { seedAwsDemo } from './demo.ts';
import { awsInternalsOf, startAwsEmulator } from './emulator.ts';
import { type AwsSnapshot, awsSnapshotOf, restoreAwsState } from './snapshot.ts';

/** The key of its credentials may do everything; its secret controls the emulator too. */
export const awsProgram: EmulatorProgram = {
  settings: ['region', 'account'],
  async start({ setting, seed, demo, ...options }) {
    const account = setting('account');
    const region = setting('region');
    const emulator = await startAwsEmulator({
      ...options,
      ...(account !== undefined && { account }),
      ...(region !== undefined && { region }),
    });
    const { state, server } = awsInternalsOf(emulator);
    const handlers = awsControlHandlers(emulator, server);
    const snapshot = options.snapshot as AwsSnapshot | null;
    const operator = snapshot?.operator ?? emulator.operator;
    if (snapshot !== null) {
      emulator.identities.deleteKey(emulator.operator.accessKeyId);
      restoreAwsState(state, snapshot);
    } else {
      if (demo) seedAwsDemo(emulator);
      if (seed > 0) handlers.seed({ count: seed });
    }
    return {
      server,
      credentials: {
        region: emulator.region,
        access_key_id: operator.accessKeyId,
        secret_access_key: operator.secretAccessKey,
        account: emulator.account,
      },
      controlToken: operator.secretAccessKey,
      control: controlOf(handlers),
      snapshot: () => awsSnapshotOf(state, operator),
    };
  },
};
