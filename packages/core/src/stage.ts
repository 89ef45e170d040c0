/** The stages of a cycle, in their order. */
export const stages = ['discover', 'validate', 'sync', 'deprecate', 'notify'] as const;
export type Stage = (typeof stages)[number];

/** Most refs in one shard. */
export const shardSize = 500;

/** How many shards of a cycle are in the queue at a time, so that one large or slow backend leaves room for the others. */
export const shardsAtATime = 4;

export const cycleTriggers = ['schedule', 'hand', 'push', 'replay'] as const;
export type CycleTrigger = (typeof cycleTriggers)[number];
