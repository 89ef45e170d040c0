export { inRange, parseAddress, parseRange, sourceNetwork } from './address.ts';
export { createEgressClient, type EgressClient } from './client.ts';
export { egressConnector, egressLookup } from './connector.ts';
export { canonicalHost } from './host.ts';
export { inRanges } from './in-ranges.ts';
export { assertDestination, type EgressPolicy, parseEgress } from './policy.ts';
export { type Resolve, resolveAllowed } from './resolve.ts';
