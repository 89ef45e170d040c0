export * from './contract.ts';
export * from './registry.ts';
export * from './until-aborted.ts';
