export * from './health.ts';
export * from './log.ts';
export * from './process.ts';
export { repeat } from './repeat.ts';
export * from './throttle.ts';
