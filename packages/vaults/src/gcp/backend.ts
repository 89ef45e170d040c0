import { classOf, vaultFailure } from '@keyferry/core';
import { readEach } from '../common/read-each.ts';
import type { ConnectContext, FetchRef, VaultBackend } from '../contract.ts';
import { createTokens } from './auth.ts';
import { createClient } from './client.ts';
import type { GcpConfig } from './config.ts';
import { confirmPresence } from './confirm.ts';
import { createContainerInspector } from './container.ts';
import { versionsOf } from './history.ts';
import { listSecrets } from './list.ts';
import { createLogin } from './login.ts';
import { createNames } from './names.ts';
import { createSecretReader, factsFor, readingOf } from './read.ts';
import { createAsk } from './session.ts';
import { createTokenRequests } from './token-requests.ts';
import { createTransport } from './transport.ts';
import { createSecretWriter } from './write.ts';

/** Puts the parts together. No call is made until one of the methods is used. */
export async function connectGcp(config: GcpConfig, context: ConnectContext): Promise<VaultBackend> {
  const names = createNames(config);
  const transport = await createTransport(config, context.egress);
  // A machine's own identity is had where the operator says, and from what is at the machine itself.
  const machine = config.auth.method !== 'service_account' ? await createTransport(config, null) : transport;
  const client = await createClient(config, transport, () => context.now());
  const requests = {
    settings: createTokenRequests(transport, context),
    machine: createTokenRequests(machine, context),
  };
  const tokens = createTokens(createLogin(config, requests, context), context);
  const ask = createAsk(client, tokens, context);
  const container = createContainerInspector(names.parent, ask);
  const reader = createSecretReader(names, ask);
  const writer = createSecretWriter(names, config.location !== undefined, ask, reader);

  /** A 404 is believed once the project has been seen after it. */
  async function proven<Result>(asked: Promise<Result>, signal: AbortSignal): Promise<Result> {
    try {
      return await asked;
    } catch (error) {
      if (classOf(error) === 'not_found') await container.prove(signal);
      throw error;
    }
  }

  async function read({ path, facts }: FetchRef, version: string, signal: AbortSignal) {
    const payload = await proven(reader.payload('read', path, version, signal), signal);
    return readingOf(payload, await proven(factsFor(reader, path, facts, signal), signal));
  }

  return {
    async probe(signal) {
      // A login takes a time of its own.
      await tokens.current(signal);
      const startedAt = context.now();
      const seen = await container.probe(signal);
      return { ...seen, server: null, latencyMs: context.now() - startedAt };
    },

    list: (scope, signal) => listSecrets(names, ask, scope, signal),

    fetch: (refs, signal) => readEach(refs, context, signal, (ref, own) => read(ref, 'latest', own)),

    confirm: (path, signal) => confirmPresence(reader, container, path, signal),
    put: (path, value, options, signal) => writer.put(path, value, options, signal),

    async remove(path, signal) {
      if (!(await writer.remove(path, signal))) await container.prove(signal);
    },

    async restore(path) {
      throw vaultFailure('not_found', `Google Secret Manager keeps nothing of "${path}" that could be restored.`);
    },

    versions: (path, signal) => proven(versionsOf(names, ask, reader, path, signal), signal),

    async readVersion(path, version, signal) {
      if (!/^[1-9]\d{0,18}$/.test(version))
        throw vaultFailure('invalid', `Could not read a version of "${path}": its versions have numbers.`);
      return read({ path, facts: null }, version, signal);
    },

    async close() {
      tokens.close();
      await Promise.all([transport.close(), machine.close()]);
    },
  };
}
