export { createClient, type KeyferryClient } from './client.ts';
export { type Failure, KeyferryClientError } from './error.ts';
export type { ClientOptions, Duration } from './options.ts';
