export * from './key-events.ts';
export { openConnection } from './open-connection.ts';
export { runJob } from './pipeline.ts';
export * from './requests.ts';
export { claimDue } from './scheduling/claim.ts';
export { prune } from './scheduling/prune.ts';
export { reconcile } from './scheduling/reconcile.ts';
export { sweep } from './scheduling/sweep.ts';
export type { CoordinationServices, Services } from './services.ts';
