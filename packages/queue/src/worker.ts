import { type Stage, stages } from '@keyferry/core';
import { Worker } from 'bullmq';
import type { StageJob } from './job.ts';
import type { Redis } from './redis.ts';

export interface WorkerPool {
  /** When a job last began or ended here, in milliseconds since the epoch. */
  lastProgressAt(): number;
  /** Stops taking jobs, waits for running ones, aborts those that outlive the grace, and waits for their end. */
  drain(graceMs: number): Promise<void>;
}

export interface WorkerPoolOptions {
  redis: Redis;
  prefix: string;
  /** How many jobs of each stage run here at a time; 0 leaves a stage to other pools. */
  concurrency: Record<Stage, number>;
  /** The signal is aborted when the job's lock is lost, and when the pool is drained past its grace. */
  run: (job: StageJob, signal: AbortSignal) => Promise<void>;
  onError: (error: Error) => void;
  now: () => number;
  /** How long a job may go unrenewed before another worker takes it. */
  lockMs?: number;
}

export const defaultLockMs = 30_000;

/** One BullMQ worker for each stage. What goes wrong inside `run` is its own business: jobs never fail on purpose. */
export function startWorkers(options: WorkerPoolOptions): WorkerPool {
  const { redis, prefix, concurrency, run, onError, now, lockMs = defaultLockMs } = options;
  let lastProgress = now();
  const workers = stages
    .filter((stage) => concurrency[stage] > 0)
    .map((stage) => {
      // BullMQ gives an abort signal only to a processor that declares three parameters.
      const worker = new Worker<StageJob>(
        stage,
        async (job, _token, signal) => {
          lastProgress = now();
          try {
            await run(job.data, signal ?? new AbortController().signal);
          } catch {
            // BullMQ keeps an error's message in Redis, and `run` has told of it where it may be told.
            throw new Error('The job failed.');
          } finally {
            lastProgress = now();
          }
        },
        {
          connection: redis,
          prefix,
          concurrency: concurrency[stage],
          lockDuration: lockMs,
          stalledInterval: lockMs,
          // What a long stop of Redis interrupts more often than this, reconciling takes up again.
          maxStalledCount: 2,
        },
      );
      worker.on('error', onError);
      // BullMQ runs a stalled job again elsewhere without stopping it here.
      worker.on('lockRenewalFailed', (jobIds) => {
        for (const jobId of jobIds) worker.cancelJob(jobId, 'lock lost');
      });
      return worker;
    });

  return {
    lastProgressAt: () => lastProgress,
    async drain(graceMs) {
      const closing = Promise.all(workers.map((worker) => worker.close()));
      const timer = setTimeout(() => {
        for (const worker of workers) worker.cancelAllJobs('draining');
      }, graceMs);
      await closing;
      clearTimeout(timer);
    },
  };
}
