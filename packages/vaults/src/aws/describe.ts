import { vaultFailure } from '@keyferry/core';
import type { CallOperation } from '../contract.ts';
import { malformed } from './errors.ts';
import { checkName } from './name.ts';
import type { Ask } from './session.ts';
import { type SecretState, stateOf } from './state.ts';

/** Everything about a secret but its value. Rejects with `vault_not_found` if AWS says that there is none. */
export type Describe = (operation: CallOperation, path: string, signal: AbortSignal) => Promise<SecretState>;

export function createDescribe(ask: Ask): Describe {
  return async (operation, path, signal) => {
    const what = `describe "${path}"`;
    checkName(path, what);
    const { DescribeSecretCommand } = await import('@aws-sdk/client-secrets-manager');
    const command = new DescribeSecretCommand({ SecretId: path });
    return ask(operation, what, signal, async ({ client, options }) => {
      const described = await client.send(command, options);
      const state = stateOf(described, described.VersionIdsToStages);
      if (state === null || typeof described.Name !== 'string') throw malformed(what);
      if (described.Name !== path) throw otherSecret(what);
      return state;
    });
  };
}

/** What can end in hyphen and six characters may be taken for an ARN's end: no other secret is taken for the asked one. */
export function otherSecret(what: string) {
  return vaultFailure('invalid', `Could not ${what}: AWS answered with a secret of another name.`);
}
