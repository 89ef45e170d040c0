export * from './contract.ts';
export * from './registry.ts';
export * from './common/until-aborted.ts';
