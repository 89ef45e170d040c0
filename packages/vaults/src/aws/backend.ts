import { classOf, vaultFailure } from '@keyferry/core';
import type { ConnectContext, VaultBackend } from '../contract.ts';
import { createCredentialsKeeper } from './auth.ts';
import { createCaller } from './caller.ts';
import { createClients } from './clients.ts';
import type { AwsConfig } from './config.ts';
import { createContainer } from './container.ts';
import { createDescribe } from './describe.ts';
import { listSecrets } from './list.ts';
import { createLogin } from './login.ts';
import { createMetadataClient } from './metadata-client.ts';
import { createFetch, createValueReader } from './read.ts';
import { createRegion } from './region.ts';
import { createRemove, createRestore } from './remove.ts';
import { createAsk } from './session.ts';
import { createTransport } from './transport.ts';
import { createVersionReader, createVersions } from './versions.ts';
import { createPut } from './write.ts';

/** Puts the parts together. No call is made until one of the methods is used. */
export async function connectSecretsManager(config: AwsConfig, context: ConnectContext): Promise<VaultBackend> {
  const now = () => context.now();
  const ended = new AbortController();
  const life = ended.signal;
  const metadata = createMetadataClient(context, life);
  const region = createRegion(config, metadata, life);
  const transport = await createTransport(config, context.parallelism, context.egress);
  const clients = await createClients(config, transport, now);
  const call = createCaller(context, life);
  const login = createLogin(config.auth, { clients, call, context, metadata, transport, region });
  const keeper = createCredentialsKeeper(login, now, life);
  const ask = createAsk(clients, keeper, login.renewable, call, region);
  const container = createContainer({ ask, call, clients, keeper, region, now, life });
  const describe = createDescribe(ask);
  const readValue = createValueReader(ask);
  const restore = createRestore(ask, container);

  return {
    async probe(signal) {
      await keeper.current(signal);
      const startedAt = now();
      const containerId = await container.identify('probe', signal);
      return {
        container: containerId === null ? 'unproven' : 'present',
        containerId,
        server: null,
        latencyMs: now() - startedAt,
      };
    },

    list: (scope, signal) => listSecrets(ask, scope, signal),
    fetch: createFetch({ ask, describe, readValue, container, context }),

    async confirm(path, signal) {
      try {
        const { scheduled, version } = await describe('confirm', path, signal);
        return scheduled || version === null ? 'deleted' : 'present';
      } catch (error) {
        if (classOf(error) !== 'not_found') throw error;
        await container.prove(signal);
        return 'absent';
      }
    },

    put: createPut({ ask, describe, readValue, container, restore, config }),
    remove: createRemove(ask, container, config.recovery_window_days),
    restore,
    versions: createVersions(ask, describe, container),
    readVersion: createVersionReader(readValue, describe, container),

    async close() {
      ended.abort(vaultFailure('unavailable', 'The connection to AWS was closed.'));
      transport.close();
    },
  };
}
