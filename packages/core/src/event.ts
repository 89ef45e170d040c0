/** The vocabulary of events. Shapes are in `@keyferry/contracts`. */
export const eventTypes = [
  'federation.sync.completed',
  'federation.sync.failed',
  'federation.backend.unreachable',
  'federation.backend.recovered',
  'keys.created',
  'keys.updated',
  'keys.restored',
  'keys.deprecated',
  'keys.archived',
  'keys.expired',
  'keys.purged',
  'deprecation.held',
] as const;
export type EventType = (typeof eventTypes)[number];

/** Most paths in one `keys.*` event. */
export const maxPathsPerEvent = 500;

/** Connection failures in a row after which a backend counts as unreachable. */
export const unreachableAfter = 3;
