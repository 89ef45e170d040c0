import { createSecretReader, openFlushChannel } from '@keyferry/access';
import { createConnectionPool } from '@keyferry/connections';
import { KeyferryError } from '@keyferry/core';
import { createEgressClient } from '@keyferry/egress';
import { environmentAuthenticator, openIdentities } from '@keyferry/identity';
import { createQueues, openRedis, waitForRedis } from '@keyferry/queue';
import {
  createAuditWriter,
  createKeyring,
  forgetDeletedTenants,
  loadMasterKey,
  openStore,
  waitForDatabase,
} from '@keyferry/store';
import { createLog, repeat, runProcess, throttled } from '@keyferry/telemetry';
import { builtInVaults } from '@keyferry/vaults';
import { type Api, createApi } from './create-api.ts';
import { readEnvironment } from './environment.ts';
import { openCertificates } from './network/certificates.ts';
import { pingVaults } from './ping-vaults.ts';
import { loadToken, type TokenSource } from './token.ts';

/** Serves the HTTP interface. Any number of these may run. */

const startDeadlineMs = 30_000;
/** So long after a tenant is deleted its data keys and values are in memory at most. */
const forgetPauseMs = 5_000;

const log = createLog({ name: 'keyferry-api', level: process.env.KEYFERRY_LOG_LEVEL || 'info' });

await runProcess(log, async () => {
  const environment = readEnvironment(process.env);
  const { token, made } = await loadToken(environment.token, 'KEYFERRY_API_TOKEN');
  if (made) log.info({ file: environment.token.file }, 'a token for the API was made');
  const revokeToken = await loadRevokeToken(environment.revokeToken, token);
  const reportError = throttled(10_000, Date.now, (message, suppressed) => log.warn({ suppressed }, message));

  const store = openStore({
    connectionString: environment.databaseUrl,
    applicationName: 'keyferry-api',
    onError: () => reportError('a database connection broke'),
  });
  const redis = openRedis(environment.redisUrl, 'producer', () => reportError('redis does not answer'));
  await Promise.all([waitForDatabase(store, startDeadlineMs), waitForRedis(redis, startDeadlineMs)]);
  const keyring = createKeyring(store, await loadMasterKey(store, environment.masterKey));
  const queues = createQueues(redis, environment.queuePrefix);
  const { allowedEnvironment, allowedFiles, allowedIdentities, allowedVaults, queuePrefix } = environment;
  const vaults = {
    registry: builtInVaults,
    allowedEnvironment,
    environment: process.env,
    allowedFiles,
    allowedIdentities,
    allowedVaults,
    shared: { redis, prefix: queuePrefix },
  };
  const connections = createConnectionPool(vaults);
  const egress = createEgressClient({ policy: environment.egress });

  const services = { store, queues, keyring, connections, log, now: () => new Date() };
  await pingVaults(services);
  const secrets = createSecretReader(services, { checkIntervalMs: environment.checkIntervalMs });
  const flushes = openFlushChannel(redis, queuePrefix, secrets.flush, () => reportError('redis does not answer'));

  const forgetting = repeat(
    () => forgetDeletedTenants(store, keyring, secrets.flush),
    forgetPauseMs,
    () => reportError('whose keys are to be forgotten could not be asked'),
  );

  const identities = openIdentities({ ...services, egress });
  const { directory } = identities;
  const authenticators = [environmentAuthenticator({ token, revokeToken }), ...identities.authenticators];
  const certificates = environment.certificates
    ? await openCertificates(environment.certificates, log, Date.now)
    : undefined;
  if (certificates) process.on('SIGHUP', () => void certificates.look());
  const { limits, trustedProxies, auditReads } = environment;
  const network = { prefix: queuePrefix, limits, trustedProxies, certificates };
  const api = await createApi({
    ...services,
    audit: createAuditWriter(store),
    auditReads,
    redis,
    egress,
    secrets,
    flushes,
    authenticators,
    directory,
    network,
    ...vaults,
  });
  const address = await listen(api, environment.host, environment.port);
  log.info({ address }, 'api started');

  return async () => {
    await api.close();
    await identities.close();
    await certificates?.stop();
    await forgetting.stop();
    flushes.close();
    await secrets.close();
    await connections.close();
    await egress.close();
    await queues.close();
    redis.disconnect();
    await keyring.masterKeys.close();
    await store.close();
  };
});

async function loadRevokeToken(source: TokenSource | null, apiToken: string): Promise<string | undefined> {
  if (!source) return undefined;
  const { token, made } = await loadToken(source, 'KEYFERRY_REVOKE_TOKEN');
  if (made) log.info({ file: source.file }, 'a token for revoking keys was made');
  if (token === apiToken)
    throw new KeyferryError('config_invalid', 'KEYFERRY_REVOKE_TOKEN is the token of the API: it has to be another.');
  return token;
}

async function listen(api: Api, host: string, port: number): Promise<string> {
  try {
    return await api.listen({ host, port });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    throw new KeyferryError('setup_failed', `The API can't listen on ${host}:${port} (${code}): choose a free port.`);
  }
}
