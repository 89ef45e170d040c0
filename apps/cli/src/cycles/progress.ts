import type { CycleAnswer } from '@keyferry/contracts';
import { type Stage, stages } from '@keyferry/core';
import { Presets, SingleBar } from 'cli-progress';
import { plural } from '../output/format.ts';
import type { Output } from '../output/output.ts';

export interface Progress {
  show(cycle: CycleAnswer): void;
  /** Takes the bar away. */
  end(): void;
}

/** Percent of the bar at which a stage begins. Most of the time goes into the sync stage, shard by shard. */
const beginsAt: Record<Stage, number> = { discover: 5, validate: 20, sync: 25, deprecate: 92, notify: 97 };

/** A bar on a terminal; elsewhere a line for each stage; for machines nothing. */
export function showProgress(output: Output): Progress {
  const { stderr } = output.io;
  if (output.json) return { show: () => {}, end: () => {} };
  return stderr.isTTY ? bar(stderr) : lines(output);
}

function bar(stream: NodeJS.WritableStream): Progress {
  const format = '{bar} {stage}  {detail}';
  const drawn = new SingleBar({ format, stream, clearOnComplete: true, hideCursor: true }, Presets.shades_classic);
  drawn.start(100, 0, { stage: stages[0], detail: '' });
  return {
    show: (cycle) => drawn.update(percent(cycle), { stage: cycle.stage, detail: detail(cycle) }),
    end: () => drawn.stop(),
  };
}

function lines(output: Output): Progress {
  let last = '';
  return {
    show(cycle) {
      if (cycle.state === 'open' && cycle.stage !== last) output.note(`  ${cycle.stage}  ${detail(cycle)}`.trimEnd());
      last = cycle.stage;
    },
    end: () => {},
  };
}

function percent({ state, stage, shards }: CycleAnswer): number {
  if (state !== 'open') return 100;
  const done = stage === 'sync' && shards.total > 0 ? (shards.total - shards.left) / shards.total : 0;
  return beginsAt[stage] + Math.round(done * (beginsAt.deprecate - beginsAt.sync));
}

function detail({ stage, shards, counts }: CycleAnswer): string {
  const found = counts.discovered ? plural(counts.discovered, 'secret') : '';
  const done = stage === 'sync' && shards.total > 1 ? `${shards.total - shards.left} of ${shards.total} shards` : '';
  return [found, done].filter((part) => part !== '').join(', ');
}
