import { KeyferryError, type Stage, stages } from '@keyferry/core';
import { Queue } from 'bullmq';
import { jobIdOf, type StageJob } from './job.ts';
import type { Redis } from './redis.ts';

export interface Queues {
  /** Puts jobs into Redis. Rejects while Redis is away; reconciling repeats it. */
  enqueue(jobs: readonly StageJob[], delayMs?: number): Promise<void>;
  /** Those of the jobs that Redis holds no live job for: absent, failed or completed. */
  lost(jobs: readonly StageJob[]): Promise<StageJob[]>;
  /** Age of the oldest job that waits for a worker, in milliseconds, by stage; 0 where none waits. */
  oldestWaitingMs(now: number): Promise<Record<Stage, number>>;
  close(): Promise<void>;
}

const liveStates = new Set(['waiting', 'active', 'delayed', 'prioritized', 'waiting-children']);
const lookupBatch = 200;
/** Failed jobs say nothing that Postgres doesn't know better; a few are kept for looking at Redis by hand. */
const keptFailedJobs = 100;

export function createQueues(redis: Redis, prefix: string): Queues {
  const queues = new Map(stages.map((stage) => [stage, new Queue<StageJob>(stage, { connection: redis, prefix })]));
  // The connection itself reports its errors; a queue without a listener would end the process for them.
  for (const queue of queues.values()) queue.on('error', () => {});
  const queueOf = (stage: Stage) => {
    // BullMQ waits for a connection that has never been there for as long as it takes.
    if (redis.status !== 'ready') throw new KeyferryError('redis_unavailable', 'Redis did not answer.');
    return queues.get(stage) as Queue<StageJob>;
  };

  return {
    async enqueue(jobs, delayMs = 0) {
      for (const stage of stages) {
        const own = jobs.filter((job) => job.stage === stage);
        for (let start = 0; start < own.length; start += lookupBatch)
          await queueOf(stage).addBulk(
            own.slice(start, start + lookupBatch).map((job) => ({
              name: stage,
              data: job,
              opts: {
                jobId: jobIdOf(job),
                delay: delayMs,
                // Attempts are counted in Postgres, where a lost Redis doesn't forget them.
                attempts: 1,
                removeOnComplete: true,
                removeOnFail: { count: keptFailedJobs },
              },
            })),
          );
      }
    },
    async lost(jobs) {
      const lost: StageJob[] = [];
      for (let start = 0; start < jobs.length; start += lookupBatch) {
        const batch = jobs.slice(start, start + lookupBatch);
        const states = await Promise.all(batch.map((job) => queueOf(job.stage).getJobState(jobIdOf(job))));
        lost.push(...batch.filter((_, index) => !liveStates.has(states[index] as string)));
      }
      return lost;
    },
    async oldestWaitingMs(now) {
      const ages = stages.map(async (stage): Promise<[Stage, number]> => {
        const [oldest] = await queueOf(stage).getWaiting(0, 0);
        return [stage, oldest ? Math.max(0, now - oldest.timestamp) : 0];
      });
      return Object.fromEntries(await Promise.all(ages)) as Record<Stage, number>;
    },
    async close() {
      for (const queue of queues.values()) await queue.close();
    },
  };
}
