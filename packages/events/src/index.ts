export * from './cloud-event.ts';
export * from './relay.ts';
