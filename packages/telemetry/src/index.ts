export * from './health.ts';
export * from './log.ts';
export * from './process.ts';
export * from './throttle.ts';
