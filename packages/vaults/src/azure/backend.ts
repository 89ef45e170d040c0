import { classOf } from '@keyferry/core';
import { readEach } from '../common/read-each.ts';
import type { ConnectContext, Presence, SecretReading, VaultBackend } from '../contract.ts';
import { createTokens } from './auth.ts';
import { learnChallenge } from './challenge.ts';
import { createClient } from './client.ts';
import type { AzureConfig } from './config.ts';
import { createContainer } from './container.ts';
import { listVersions, readVersion } from './history.ts';
import { listSecrets } from './list.ts';
import { createLogin } from './login.ts';
import { createNames } from './names.ts';
import { createReader, goneFailure } from './read.ts';
import { createRecovery } from './recover.ts';
import { createSession } from './session.ts';
import { createTransport } from './transport.ts';
import { createWriter } from './write.ts';

/** Puts the parts together. No call is made until one of the methods is used. */
export async function connectVault(config: AzureConfig, context: ConnectContext): Promise<VaultBackend> {
  const transport = await createTransport(config.tls?.ca_cert, context.egress);
  // A machine's own identity is had where the operator says, and from what is at the machine itself.
  const logins = isAmbient(config) ? await createTransport(config.tls?.ca_cert, null) : transport;
  const client = await createClient(config, transport);
  const learn = (signal: AbortSignal) => learnChallenge(config, client, context, signal);
  const tokens = createTokens(learn, createLogin(config, logins, context), context);
  const session = createSession(client, tokens, context);
  const names = createNames(config.separator);
  const container = createContainer(session);
  const reader = createReader(session, names, container, context);
  const recovery = createRecovery(session, names, reader, context);
  const writer = createWriter({ session, names, reader, recovery, context });

  async function readCurrent(path: string, signal: AbortSignal): Promise<SecretReading> {
    try {
      return (await reader.read('read', path, signal)).reading;
    } catch (error) {
      if (classOf(error) !== 'not_found') throw error;
      throw goneFailure(path, await reader.absenceOf(path, signal));
    }
  }

  async function presenceOf(path: string, signal: AbortSignal): Promise<Presence> {
    try {
      await reader.read('confirm', path, signal);
      return 'present';
    } catch (error) {
      if (classOf(error) === 'disabled') return 'present';
      if (classOf(error) !== 'not_found') throw error;
      return reader.absenceOf(path, signal);
    }
  }

  return {
    async probe(signal) {
      await tokens.current(signal);
      const startedAt = context.now();
      const { container: seen, answer } = await container.look('probe', signal);
      const latencyMs = context.now() - startedAt;
      const { host } = new URL(config.vault_url);
      const containerId = tokens.challenge === null ? null : `${host} of ${tokens.challenge.tenant}`;
      return {
        container: seen,
        containerId,
        server: serverOf(answer?.headers['x-ms-keyvault-service-version']),
        latencyMs,
      };
    },

    list: (scope, signal) => listSecrets({ session, names, context }, scope, signal),

    fetch: (refs, signal) => readEach(refs, context, signal, ({ path }, taskSignal) => readCurrent(path, taskSignal)),

    confirm: presenceOf,
    put: writer.put,
    remove: writer.remove,
    restore: writer.restore,
    versions: (path, signal) => listVersions({ session, names, reader, context }, path, signal),
    readVersion: (path, version, signal) => readVersion(reader, path, version, signal),

    async close() {
      tokens.close();
      await Promise.all([transport.close(), logins.close()]);
    },
  };
}

/** What is shown as a version; any other text of the vault's is not shown. */
function serverOf(version: string | undefined): string | null {
  return version !== undefined && /^[\w.+-]{1,64}$/.test(version) ? version : null;
}

function isAmbient({ auth }: AzureConfig): boolean {
  return auth.method === 'managed_identity' || auth.method === 'default';
}
