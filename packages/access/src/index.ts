export * from './place.ts';
export * from './services.ts';
