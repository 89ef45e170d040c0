import { classOf } from '@keyferry/core';
import type { Container } from './container.ts';
import { malformed } from './errors.ts';
import { checkName } from './name.ts';
import type { Ask } from './session.ts';

export type Restore = (path: string, signal: AbortSignal) => Promise<void>;

/** Schedules a secret for deletion: it can be restored for so many days. One that is gone already is no error. */
export function createRemove(ask: Ask, container: Container, recoveryWindowDays: number) {
  return async (path: string, signal: AbortSignal): Promise<void> => {
    const what = `remove "${path}"`;
    checkName(path, what);
    const { DeleteSecretCommand } = await import('@aws-sdk/client-secrets-manager');
    const command = new DeleteSecretCommand({ SecretId: path, RecoveryWindowInDays: recoveryWindowDays });
    try {
      await ask('write', what, signal, async ({ client, options }) => {
        checkDone(await client.send(command, options), what);
      });
    } catch (error) {
      if (classOf(error) === 'not_found') await container.prove(signal);
      else if (classOf(error) !== 'deleted') throw error;
    }
  };
}

/** Takes a secret out of its recovery window. One that is not in it stays as it is. */
export function createRestore(ask: Ask, container: Container): Restore {
  return async (path, signal) => {
    const what = `restore "${path}"`;
    checkName(path, what);
    const { RestoreSecretCommand } = await import('@aws-sdk/client-secrets-manager');
    const command = new RestoreSecretCommand({ SecretId: path });
    try {
      await ask('write', what, signal, async ({ client, options }) => {
        checkDone(await client.send(command, options), what);
      });
    } catch (error) {
      if (classOf(error) === 'not_found') await container.prove(signal);
      throw error;
    }
  };
}

/** AWS names the secret that it has changed: anything else is no word of it. */
function checkDone({ Name }: { Name?: string | undefined }, what: string): void {
  if (typeof Name !== 'string') throw malformed(what);
}
