export * from './common/content-type.ts';
export * from './common/held-value.ts';
export * from './common/on-abort.ts';
export * from './common/until-aborted.ts';
export * from './contract.ts';
export * from './registry.ts';
