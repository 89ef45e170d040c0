export * from './job.ts';
export * from './queues.ts';
export * from './redis.ts';
export * from './worker.ts';
