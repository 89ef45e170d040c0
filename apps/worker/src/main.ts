import { createConnectionPool } from '@keyferry/connections';
import { createEgressClient } from '@keyferry/egress';
import { createDeliverer } from '@keyferry/events';
import { runJob } from '@keyferry/pipeline';
import { createQueues, openRedis, startWorkers, waitForRedis } from '@keyferry/queue';
import { createKeyring, forgetDeletedTenants, loadMasterKey, openStore, waitForDatabase } from '@keyferry/store';
import { createLog, repeat, runProcess, serveHealth, throttled } from '@keyferry/telemetry';
import { builtInVaults } from '@keyferry/vaults';
import { readEnvironment } from './environment.ts';

/**
 * Runs the stages' jobs and sends notifications, which needs the master key as well. Any number of workers may run; each job
 * is done by one of them at a time.
 */

const startDeadlineMs = 30_000;
const drainGraceMs = 15_000;
const deliveryPollMs = 1_000;
/** So long after a tenant is deleted its data keys are in memory at most. */
const forgetPauseMs = 5_000;
/** Jobs that wait longer than this while nothing moves here mean that this worker is stuck. */
const stuckAfterMs = 120_000;

const log = createLog({ name: 'keyferry-worker', level: process.env.KEYFERRY_LOG_LEVEL ?? 'info' });

await runProcess(log, async () => {
  const environment = readEnvironment(process.env);
  const now = () => new Date();
  const reportError = throttled(10_000, Date.now, (message, suppressed) => log.warn({ suppressed }, message));

  const store = openStore({
    connectionString: environment.databaseUrl,
    applicationName: 'keyferry-worker',
    onError: () => reportError('a database connection broke'),
  });
  await waitForDatabase(store, startDeadlineMs);
  const keyring = createKeyring(store, await loadMasterKey(store, environment.masterKey));

  const producer = openRedis(environment.redisUrl, 'producer', () => reportError('redis does not answer'));
  const consumer = openRedis(environment.redisUrl, 'consumer', () => reportError('redis does not answer'));
  await waitForRedis(producer, startDeadlineMs);
  const queues = createQueues(producer, environment.queuePrefix);
  const connections = createConnectionPool({
    registry: builtInVaults,
    allowedEnvironment: environment.allowedEnvironment,
    environment: process.env,
    allowedFiles: environment.allowedFiles,
    allowedIdentities: environment.allowedIdentities,
    allowedVaults: environment.allowedVaults,
    shared: { redis: producer, prefix: environment.queuePrefix },
  });

  const services = {
    store,
    queues,
    keyring,
    connections,
    log,
    now,
    firstRetryMs: environment.firstRetryMs,
  };
  const workers = startWorkers({
    redis: consumer,
    prefix: environment.queuePrefix,
    concurrency: environment.concurrency,
    run: async (job, signal) => {
      try {
        await runJob(services, job, signal);
      } catch (error) {
        log.warn(
          { error: error as Error, cycle_id: job.cycle_id, stage: job.stage },
          'a job was left to be dispatched again',
        );
        throw error;
      }
    },
    onError: () => reportError('a queue reported an error'),
    now: Date.now,
    lockMs: environment.lockMs,
  });
  const egress = createEgressClient({ policy: environment.egress });
  const deliverer = createDeliverer({ store, keyring, egress, log, now });
  const delivering = repeat(
    () => deliverer.begin(),
    deliveryPollMs,
    (error) => {
      reportError('delivering notices failed');
      log.debug({ error: error as Error }, 'delivering notices');
    },
  );
  const forgetting = repeat(
    () => forgetDeletedTenants(store, keyring),
    forgetPauseMs,
    () => reportError('whose keys are to be forgotten could not be asked'),
  );
  const health = await serveHealth(environment.health, async () => {
    const waiting = Object.values(await queues.oldestWaitingMs(Date.now()));
    const oldestWaitingMs = Math.max(...waiting);
    const idleMs = Date.now() - workers.lastProgressAt();
    const stuck = oldestWaitingMs > stuckAfterMs && idleMs > stuckAfterMs;
    return { healthy: !stuck, ready: producer.status === 'ready', checks: { oldestWaitingMs, idleMs } };
  });
  log.info({ concurrency: environment.concurrency, health_port: health.port }, 'worker started');

  return async () => {
    // A receiver has less time than jobs have to end.
    await Promise.all([workers.drain(drainGraceMs), deliverer.stop().then(() => delivering.stop())]);
    await forgetting.stop();
    await egress.close();
    await health.close();
    await connections.close();
    await queues.close();
    producer.disconnect();
    consumer.disconnect();
    await keyring.masterKeys.close();
    await store.close();
  };
});
