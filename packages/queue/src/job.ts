import type { Stage } from '@keyferry/core';

/** What a job carries: references only. Secrets, remote paths and results never enter Redis. */
export interface StageJob {
  tenant_id: string;
  cycle_id: string;
  stage: Stage;
  /** -1 for a stage without shards. */
  shard: number;
  dispatch: number;
}

/** One id for each time work is put into Redis: re-adding an id that is still kept there would be a silent no-op. */
export function jobIdOf(job: StageJob): string {
  const shard = job.shard < 0 ? 'all' : String(job.shard);
  return `${job.cycle_id}.${job.stage}.${shard}.${job.dispatch}`;
}
