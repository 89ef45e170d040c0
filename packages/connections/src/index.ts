export * from './allowed-files.ts';
export * from './call-counts.ts';
export * from './exchange-credentials.ts';
export * from './limits.ts';
export * from './pool.ts';
export * from './references.ts';
export * from './settings.ts';
export type { CallStatistics } from './statistics.ts';
