import { classOf, isTransient, vaultFailure } from '@keyferry/core';
import { isObject } from '../common/json.ts';
import { readEach } from '../common/read-each.ts';
import { untilAborted } from '../common/until-aborted.ts';
import type { ConnectContext, Presence, VaultBackend } from '../contract.ts';
import { createTokens } from './auth.ts';
import { createClient, type VaultClient } from './client.ts';
import type { HashicorpConfig } from './config.ts';
import { type Answer, failureOf } from './errors.ts';
import { createFolderReader } from './folder.ts';
import { createHistory } from './history.ts';
import { listSecrets } from './list.ts';
import { createMountInspector, type KvVersion } from './mount.ts';
import { isAddressable } from './path.ts';
import { createSecretReader, presenceByRead } from './read.ts';
import { createMetadataReader } from './revision.ts';
import { createAsk } from './session.ts';
import { createPlainWriter } from './write-plain.ts';
import { createVersionedWriter } from './write-versioned.ts';

/** Puts the parts together. No call is made until one of the methods is used. */
export async function connectVault(config: HashicorpConfig, context: ConnectContext): Promise<VaultBackend> {
  const now = () => context.now();
  const client = await createClient(config, context.egress);
  const tokens = createTokens(config.auth, client, context);
  const ask = createAsk(client, tokens, context);
  const mounts = createMountInspector(config, ask, now);
  const folders = createFolderReader(config, ask, now);
  const readMetadata = createMetadataReader(config, ask, now);
  const readSecret = createSecretReader(config, ask, now);
  const history = createHistory(config, ask, mounts, readSecret, now);
  const versioned = createVersionedWriter(config, ask, now);
  const plain = createPlainWriter(config, ask, readSecret, now);
  const writer = async (signal: AbortSignal) => ((await mounts.versionToWrite(signal)) === 1 ? plain : versioned);

  async function presenceOf(path: string, version: KvVersion, signal: AbortSignal): Promise<Presence> {
    const direct = () => presenceByRead(readSecret('confirm', path, version, signal));
    if (version === 1 || !isAddressable(path)) return direct();
    try {
      const state = await readMetadata('confirm', path, signal);
      if (state === null) return 'absent';
      // Whether its time has come is for the vault's clock to say, not for ours.
      return state.deleted ? direct() : 'present';
    } catch (error) {
      if (classOf(error) === 'forbidden') return direct();
      throw error;
    }
  }

  return {
    async probe(signal) {
      const startedAt = now();
      const server = await readHealth(client, context, signal);
      const latencyMs = now() - startedAt;
      const { container, id } = await mounts.inspect('probe', signal);
      return { container, containerId: id, server, latencyMs };
    },

    list: (scope, signal) => listSecrets({ mounts, folders, readMetadata, context }, scope, signal),

    fetch(refs, signal) {
      // Asked once for all of them: else a new connection's first reads would each ask.
      let asked: Promise<KvVersion> | undefined;
      let version: KvVersion | undefined;
      return readEach(refs, context, signal, async ({ path }, taskSignal) => {
        asked ??= mounts.version(signal);
        version ??= await untilAborted(asked, taskSignal);
        try {
          return await readSecret('read', path, version, taskSignal);
        } catch (error) {
          if (classOf(error) === 'not_found') await mounts.prove(version, taskSignal);
          throw error;
        }
      });
    },

    async confirm(path, signal) {
      const version = await mounts.version(signal);
      const presence = await presenceOf(path, version, signal);
      if (presence === 'absent') await mounts.prove(version, signal);
      return presence;
    },

    put: async (path, value, options, signal) => (await writer(signal)).put(path, value, options, signal),
    remove: async (path, signal) => (await writer(signal)).remove(path, signal),
    restore: async (path, signal) => (await writer(signal)).restore(path, signal),
    ...history,

    async close() {
      await tokens.close();
      await client.close();
    },
  };
}

/** What is shown as a version; any other text of the vault's is not shown. */
const serverVersion = /^[\w.+-]{1,64}$/;

/** The server's version, or null where it isn't told. Rejects if the vault is sealed, not initialised or not there. */
async function readHealth(client: VaultClient, context: ConnectContext, signal: AbortSignal): Promise<string | null> {
  const what = 'reach the vault';
  return context.call('probe', signal, async (attempt) => {
    const path = 'sys/health?standbyok=true&perfstandbyok=true';
    const answer = await client.send({ path, what, rootNamespace: true, signal: attempt });
    const health = isObject(answer.body) ? answer.body : {};
    if (health.initialized === false)
      throw vaultFailure('unavailable', `Could not ${what}: it is not initialised yet.`);
    if (health.sealed === true) throw failureOf({ ...answer, status: 503 }, what, context.now());
    if (typeof health.version === 'string' && serverVersion.test(health.version)) return health.version;
    return unlessTransient(answer, what, context.now());
  });
}

/** A vault behind a proxy may hide its health; only what says that the vault is away counts. */
function unlessTransient(answer: Answer, what: string, now: number): null {
  const failure = failureOf(answer, what, now);
  if (isTransient(classOf(failure))) throw failure;
  return null;
}
