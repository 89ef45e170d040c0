/**
 * The life of a key. Every change of state in the product is an edge of this table.
 *
 *   (none) ── discovered ──► active ◄─ found, restored ─ deprecated ── graceOver ──► archived ── retentionOver ──► purged
 *                             │  ▲  └ removed, leftScope ►  │                        ▲   │
 *                             │  └──── found, restored ─────┼────────────────────────┼───┘
 *                             └─── expiryPassed ────────────┴─► expired ── renewed ──► active
 *                                                                 └─ retentionOver ──► purged
 *   backendRemoved (by hand): active, deprecated ──► archived.
 *   written (through Keyferry): deprecated, archived, expired ──► active.
 *   deletedHere (through Keyferry): active, deprecated, expired ──► archived.
 *   revoked (by hand): any state ──► archived, and there it stays until unrevoked.
 */

export const keyStates = ['active', 'deprecated', 'archived', 'expired'] as const;
export type KeyState = (typeof keyStates)[number];

export type KeyEvent =
  | 'found' // listed and read in a cycle
  | 'removed' // its absence was proven
  | 'leftScope' // the settings leave it out by now
  | 'restored' // out of a backup, by a person
  | 'graceOver' // the grace period is over and the last full cycle, a complete one, still lacked it
  | 'expiryPassed'
  | 'renewed' // a new version, or a later expiry
  | 'backendRemoved'
  | 'written' // a value was given to Keyferry itself
  | 'deletedHere' // by whoever uses Keyferry, not by the vault
  | 'revoked'
  | 'retentionOver';

const edges: Record<KeyState, Partial<Record<KeyEvent, KeyState | 'purged'>>> = {
  active: {
    removed: 'deprecated',
    leftScope: 'deprecated',
    expiryPassed: 'expired',
    backendRemoved: 'archived',
    deletedHere: 'archived',
    revoked: 'archived',
  },
  deprecated: {
    found: 'active',
    restored: 'active',
    graceOver: 'archived',
    expiryPassed: 'expired',
    backendRemoved: 'archived',
    written: 'active',
    deletedHere: 'archived',
    revoked: 'archived',
  },
  archived: { found: 'active', restored: 'active', written: 'active', retentionOver: 'purged', revoked: 'archived' },
  expired: {
    renewed: 'active',
    written: 'active',
    deletedHere: 'archived',
    retentionOver: 'purged',
    revoked: 'archived',
  },
};

/** The state after an event; the same state where the table has no edge. A revoked key stays archived until a person lifts it. */
export function nextState(key: { state: KeyState; revoked: boolean }, event: KeyEvent): KeyState | 'purged' {
  if (key.revoked) return 'archived';
  return edges[key.state][event] ?? key.state;
}

/** The states from which an event leads elsewhere: what a set-based statement has to select. */
export function statesLeftBy(event: KeyEvent): KeyState[] {
  return keyStates.filter((state) => (edges[state][event] ?? state) !== state);
}

/** Whether a key's value is served: not archived, not expired, and its expiry not passed at the moment of reading. */
export function isServed(key: { state: KeyState; expiresAt: Date | null }, now: Date): boolean {
  return (key.state === 'active' || key.state === 'deprecated') && (key.expiresAt === null || key.expiresAt > now);
}
