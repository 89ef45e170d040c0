/** The vocabulary of events, each with how much it matters. Shapes are in `@keyferry/contracts`. */

export const severities = ['info', 'warning', 'critical'] as const;
export type Severity = (typeof severities)[number];

const vocabulary = {
  'federation.sync.completed': 'info',
  'federation.sync.failed': 'warning',
  'federation.backend.unreachable': 'critical',
  'federation.backend.recovered': 'info',
  'keys.created': 'info',
  /** A new value took the place of the one before. */
  'keys.rotated': 'info',
  /** An earlier value is served again, by a person's word. */
  'keys.rolled_back': 'warning',
  'keys.rotation_overdue': 'warning',
  /** The vault's new value was refused; what was served before still is. */
  'keys.invalid': 'warning',
  /** Gone from the vault, and not moved, since auto_deprecate is off. */
  'keys.missing': 'warning',
  'keys.renamed': 'warning',
  'keys.restored': 'info',
  'keys.deprecated': 'warning',
  /** Reminders: so long before it happens. */
  'keys.archiving_soon': 'warning',
  'keys.expiring_soon': 'warning',
  'keys.archived': 'warning',
  'keys.expired': 'warning',
  'keys.revoked': 'critical',
  'keys.unrevoked': 'warning',
  /** Deleted through Keyferry; in the vault as well where Keyferry owns the secret. */
  'keys.deleted': 'warning',
  'keys.purged': 'info',
  /** Changed in the vault and here, and the policy is that a person decides. */
  'conflict.detected': 'warning',
  /** By a person, or since both sides agree again. */
  'conflict.resolved': 'info',
  'deprecation.held': 'critical',
  /** A person decided, or what was missing has come back by itself. */
  'deprecation.settled': 'info',
  /** The head of the audit log's chain, for whoever keeps it outside. */
  'audit.anchored': 'info',
} as const satisfies Record<string, Severity>;

export type EventType = keyof typeof vocabulary;
export const eventTypes = Object.keys(vocabulary) as EventType[];

export const severityOf = (type: EventType): Severity => vocabulary[type];

/** Most paths in one `keys.*` event. */
export const maxPathsPerEvent = 500;

/** Connection failures in a row after which a backend counts as unreachable. */
export const unreachableAfter = 3;
