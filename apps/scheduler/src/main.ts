import { collectNotices, relayOutbox } from '@keyferry/events';
import {
  anchorAuditLogs,
  claimDue,
  prune,
  pruneAuditLogs,
  purgeDeleted,
  reconcile,
  sealAuditLogs,
  sweep,
} from '@keyferry/pipeline';
import { createQueues, openRedis, waitForRedis } from '@keyferry/queue';
import { openStore, waitForDatabase } from '@keyferry/store';
import { createLog, repeat, runProcess, serveHealth, throttled } from '@keyferry/telemetry';
import { appendAnchor } from './anchor-file.ts';
import { readEnvironment } from './environment.ts';

/**
 * Claims due backends, finds lost work, does what is due by time, removes what deleted tenants had, seals audit logs, relays
 * events and matches them with the rules of notifications. Any number of schedulers may run.
 */

const startDeadlineMs = 30_000;
const sweepPauseMs = 30_000;
const prunePauseMs = 600_000;
const sealPauseMs = 1_000;
/** Reconciling compares open cycles with Redis, which is cheap, but needs no hurry. */
const reconcilePauses = 10;
/** A scheduler whose claims have failed for this long is restarted by whoever watches it. */
const stuckAfterMs = 120_000;

const log = createLog({ name: 'keyferry-scheduler', level: process.env.KEYFERRY_LOG_LEVEL ?? 'info' });

await runProcess(log, async () => {
  const environment = readEnvironment(process.env);
  const { queuePrefix: prefix, pollMs, anchorFile } = environment;
  const now = () => new Date();
  const reportError = throttled(10_000, Date.now, (message, suppressed) => log.warn({ suppressed }, message));
  const failed = (what: string) => (error: unknown) => {
    reportError(`${what} failed: ${error instanceof Error && 'code' in error ? String(error.code) : 'unexpectedly'}`);
    log.debug({ error: error as Error }, what);
  };

  const store = openStore({
    connectionString: environment.databaseUrl,
    applicationName: 'keyferry-scheduler',
    onError: () => reportError('a database connection broke'),
  });
  await waitForDatabase(store, startDeadlineMs);
  const redis = openRedis(environment.redisUrl, 'producer', () => reportError('redis does not answer'));
  await waitForRedis(redis, startDeadlineMs);
  const services = { store, queues: createQueues(redis, prefix), log, now };

  const sealAudit = async () => {
    await sealAuditLogs(services);
    await anchorAuditLogs(services, async (anchor) => {
      if (anchorFile !== null) await appendAnchor(anchorFile, anchor);
    });
  };

  const claiming = repeat(() => claimDue(services), pollMs, failed('claiming due backends'));
  const loops = [
    claiming,
    repeat(() => reconcile(services, environment.settleMs), pollMs * reconcilePauses, failed('reconciling')),
    repeat(() => sweep(services), sweepPauseMs, failed('sweeping')),
    repeat(sealAudit, sealPauseMs, failed('sealing audit logs')),
    repeat(() => prune(services), prunePauseMs, failed('pruning')),
    repeat(() => pruneAuditLogs(services), prunePauseMs, failed('pruning audit logs')),
    repeat(() => purgeDeleted(services), sweepPauseMs, failed('purging deleted tenants')),
    repeat(() => relayOutbox({ store, redis, prefix, log, now }), pollMs, failed('relaying events')),
    repeat(() => collectNotices(services), pollMs, failed('collecting notices')),
  ];
  const health = await serveHealth(environment.health, async () => {
    const sinceClaimMs = Date.now() - claiming.lastSuccessAt();
    const ready = redis.status === 'ready' && sinceClaimMs < stuckAfterMs;
    return { healthy: sinceClaimMs < stuckAfterMs, ready, checks: { sinceClaimMs } };
  });
  log.info({ health_port: health.port }, 'scheduler started');

  return async () => {
    await Promise.all(loops.map((loop) => loop.stop()));
    await health.close();
    await services.queues.close();
    redis.disconnect();
    await store.close();
  };
});
