/** The stages of a cycle, in their order. */
export const stages = ['discover', 'validate', 'sync', 'deprecate', 'notify'] as const;
export type Stage = (typeof stages)[number];

/** Most refs in one shard. */
export const shardSize = 500;

export const cycleTriggers = ['schedule', 'hand', 'push', 'replay'] as const;
export type CycleTrigger = (typeof cycleTriggers)[number];
