export { newSigningSecret } from './channels/webhook.ts';
export * from './collect.ts';
export * from './deliver.ts';
export { noticeSummary } from './message.ts';
export * from './relay.ts';
export * from './try-channel.ts';
