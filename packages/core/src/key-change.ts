/** What can happen to a key after it was discovered: the words of its story. */
export type KeyChange =
  | 'rotated'
  | 'found'
  | 'restored'
  | 'rolled_back'
  | 'written'
  | 'pushed' // to the vault, by a cycle
  | 'deleted'
  | 'renamed'
  | 'deprecated'
  | 'archived'
  | 'expired'
  | 'renewed'
  | 'revoked'
  | 'unrevoked'
  | 'missing'
  | 'kept'
  | 'purged';

/** Where a version came from: a vault, a write here, an earlier version, or a backup. */
export type VersionSource = 'vault' | 'local' | 'rollback' | 'backup';

/** Why a key may be lost in a cycle: missing from the vault, left out by the settings, or to have another name. */
export type LossCause = 'absent' | 'out_of_scope' | 'renamed';
