/**
 * A small reference for a key's whole life: what keys a backend has, which values it serves and what it tells of, written down
 * once more as plainly as possible, for a model-based test to hold the product against.
 */

export interface Secret {
  value: string;
  /** Counts every change in the vault, so that the same is never taken for another. */
  revision: number;
  deleted: boolean;
  expiresAt: number | null;
  createdAt: number;
}

export interface Key {
  state: 'active' | 'deprecated' | 'archived' | 'expired';
  revoked: boolean;
  value: string;
  version: number;
  /** The vault's value and revision as last stored. */
  remoteValue: string;
  revision: number;
  expiresAt: number | null;
  stateChangedAt: number;
  deprecatedAt: number | null;
  outOfScope: boolean;
  /** It went by a person's word. */
  approved: boolean;
  kept: boolean;
  missing: boolean;
  rolledBack: boolean;
  lastSeen: number;
  archiveReminder: number | null;
  expiryReminder: number | null;
  values: Map<number, string>;
  /** The values that were backed up, the newest last. */
  backups: string[];
}

export interface Settings {
  autoDeprecate: boolean;
  grace: number;
  retention: number;
  /** Only folder a is synced. */
  narrowed: boolean;
}

type Cause = 'absent' | 'out_of_scope';
export interface Hold {
  state: 'open' | 'approved';
  keys: Map<string, Cause>;
  openedAt: number;
  decidedAt: number | null;
}

/** What goes wrong in one cycle. */
export type Trouble = { kind: 'none' | 'sealed' | 'listing' } | { kind: 'unreadable'; path: string };

const seconds = 1000;
const day = 24 * 3600 * seconds;
const archiveMarks = [7 * day, day, 3600 * seconds];
const expiryMarks = [30 * day, 7 * day, day];

export class Model {
  now: number;
  readonly secrets = new Map<string, Secret>();
  readonly keys = new Map<string, Key>();
  settings: Settings = { autoDeprecate: true, grace: day / seconds, retention: (90 * day) / seconds, narrowed: false };
  /** Whether times were reckoned by the settings of now. */
  reckoned = false;
  holds: Hold[] = [];
  /** What was told, as `type path`. */
  told: string[] = [];
  /** Refusals that were told of: the revision by path. */
  readonly refused = new Map<string, number>();
  failedCycles = 0;
  lastFullOpenedAt: number | null = null;

  constructor(now: number) {
    this.now = now;
  }

  inScope = (path: string): boolean => !this.settings.narrowed || path.startsWith('bifrost/a/');

  cycle(trouble: Trouble): void {
    const openedAt = this.now;
    if (trouble.kind === 'sealed' || trouble.kind === 'listing') {
      this.failedCycles++;
      return;
    }
    let failed = 0;
    for (const [path, secret] of this.secrets) {
      if (secret.deleted || !this.inScope(path)) continue;
      const key = this.keys.get(path);
      const wanted = !key || key.revision !== secret.revision || returns(key) || key.kept || key.missing;
      if (!wanted) continue;
      if (trouble.kind === 'unreadable' && trouble.path === path) {
        failed++;
        if (key?.state === 'deprecated') key.lastSeen = this.now;
      } else if (secret.value.startsWith('bad')) this.#refuse(path, secret, key);
      else {
        this.refused.delete(path);
        if (key) this.#write(path, key, secret);
        else this.#add(path, secret);
      }
    }
    const held = this.#remove(trouble);
    if (failed === 0)
      for (const path of this.refused.keys()) {
        const secret = this.secrets.get(path);
        if (!secret || secret.deleted || !this.inScope(path)) this.refused.delete(path);
      }
    this.holds = this.holds.filter((hold) => {
      if (hold.state === 'approved') return (hold.decidedAt ?? 0) > openedAt;
      if (held || hold.openedAt >= this.now) return true;
      this.told.push('deprecation.settled ended');
      return false;
    });
    this.failedCycles = 0;
    this.lastFullOpenedAt = openedAt;
  }

  #refuse(path: string, secret: Secret, key: Key | undefined): void {
    if (key?.state === 'deprecated') key.lastSeen = this.now;
    if (this.refused.get(path) !== secret.revision) this.told.push(`keys.invalid ${path}`);
    this.refused.set(path, secret.revision);
  }

  #add(path: string, secret: Secret): void {
    const expired = secret.expiresAt !== null && secret.expiresAt <= this.now;
    const key: Key = {
      state: expired ? 'expired' : 'active',
      revoked: false,
      value: secret.value,
      version: 1,
      remoteValue: secret.value,
      revision: secret.revision,
      expiresAt: secret.expiresAt,
      stateChangedAt: this.now,
      deprecatedAt: null,
      outOfScope: false,
      approved: false,
      kept: false,
      missing: false,
      rolledBack: false,
      lastSeen: this.now,
      archiveReminder: null,
      expiryReminder: null,
      values: new Map([[1, secret.value]]),
      backups: [],
    };
    this.keys.set(path, key);
    this.#remind(key);
    this.told.push(`keys.created ${path}`);
    if (expired) this.told.push(`keys.expired ${path}`);
  }

  #write(path: string, key: Key, secret: Secret): void {
    const expired = secret.expiresAt !== null && secret.expiresAt <= this.now;
    const before = key.state;
    if (key.revoked) key.state = 'archived';
    else if (expired) key.state = 'expired';
    else key.state = 'active';
    if (key.state === 'active' && before !== 'active') this.told.push(`keys.restored ${path}`);
    if (key.state === 'expired' && before !== 'expired') this.told.push(`keys.expired ${path}`);
    if (key.state !== before) key.stateChangedAt = this.now;
    if (key.state === 'active') Object.assign(key, { deprecatedAt: null, outOfScope: false, approved: false });
    if (secret.value === key.value) key.rolledBack = false;
    else if (secret.value !== key.remoteValue || !key.rolledBack) {
      this.setValue(key, secret.value);
      key.rolledBack = false;
      this.told.push(`keys.rotated ${path}`);
    }
    Object.assign(key, { remoteValue: secret.value, revision: secret.revision, expiresAt: secret.expiresAt });
    Object.assign(key, { kept: false, missing: false, lastSeen: this.now });
    this.#remind(key);
  }

  setValue(key: Key, value: string): void {
    key.value = value;
    key.version++;
    key.values.set(key.version, value);
  }

  /** Whether anything was held. */
  #remove(trouble: Trouble): boolean {
    const candidates = new Map<string, Cause>();
    for (const [path, key] of this.keys) {
      const secret = this.secrets.get(path);
      const gone = !secret || secret.deleted;
      const outside = !this.inScope(path);
      const live = key.state === 'active' || key.state === 'deprecated';
      if (!live || (!gone && !outside)) continue;
      if (outside && key.state === 'deprecated' && !key.outOfScope) key.lastSeen = this.now;
      if (key.kept) continue;
      if (outside && (key.state === 'active' || !key.outOfScope)) candidates.set(path, 'out_of_scope');
      if (!outside && key.state === 'active') candidates.set(path, 'absent');
    }
    if (!this.settings.autoDeprecate) {
      for (const path of candidates.keys()) {
        const key = this.keys.get(path) as Key;
        if (key.state !== 'active') continue;
        if (!key.missing) this.told.push(`keys.missing ${path}`);
        key.missing = true;
      }
      return false;
    }
    const approved = this.holds.find(({ state }) => state === 'approved')?.keys ?? new Map<string, Cause>();
    const unapproved = [...candidates].filter(([path, cause]) => approved.get(path) !== cause);
    const lately = (key: Key) => key.deprecatedAt !== null && key.deprecatedAt > this.now - day && !key.approved;
    const all = [...this.keys];
    const goneLately = all.filter(([, key]) => key.state !== 'active' && lately(key)).length;
    const total = all.filter(([path, key]) => (key.state === 'active' || lately(key)) && !approved.has(path)).length;
    const loss = unapproved.length + goneLately;
    const tooMany = (share: number, least: number) => loss > total * share && loss >= least;
    const open = this.holds.find(({ state }) => state === 'open');
    const isMassLoss = unapproved.length > 0 && (tooMany(0.2, 10) || tooMany(0.5, 2));
    // What a person was asked about waits for the answer, also when it would be no mass loss any more.
    const held = isMassLoss ? unapproved : unapproved.filter(([path, cause]) => open?.keys.get(path) === cause);
    if (open && held.length > 0) open.keys = new Map(held);
    else if (held.length > 0) {
      this.holds.push({ state: 'open', keys: new Map(held), openedAt: this.now, decidedAt: null });
      this.told.push('deprecation.held');
    }
    for (const [path] of held) candidates.delete(path);
    for (const [path, cause] of candidates) {
      if (cause === 'absent' && trouble.kind === 'unreadable' && trouble.path === path) continue;
      const key = this.keys.get(path) as Key;
      if (key.state !== 'deprecated') {
        key.stateChangedAt = this.now;
        key.backups.push(key.value);
      }
      if (key.state !== 'deprecated') key.missing = false;
      key.state = 'deprecated';
      key.deprecatedAt = this.now;
      key.outOfScope = cause === 'out_of_scope';
      if (approved.has(path)) key.approved = true;
      this.#remind(key);
      this.told.push(`keys.deprecated ${path}`);
    }
    return held.length > 0;
  }

  sweep(): void {
    if (!this.reckoned) for (const key of this.keys.values()) this.#remind(key);
    this.reckoned = true;
    const due = (act: (path: string, key: Key) => (() => void) | null) =>
      [...this.keys].flatMap(([path, key]) => act(path, key) ?? []);
    const move = (key: Key, state: Key['state'], event: string) => () => {
      key.missing = false;
      key.state = state;
      key.stateChangedAt = this.now;
      this.#remind(key);
      this.told.push(event);
    };
    const live = (key: Key) => (key.state === 'active' || key.state === 'deprecated') && !key.revoked;
    const expiring = due((path, key) =>
      live(key) && key.expiresAt !== null && key.expiresAt <= this.now
        ? move(key, 'expired', `keys.expired ${path}`)
        : null,
    );
    for (const act of expiring) act();
    const archiving = due((path, key) => {
      const at = this.archiveAt(key);
      const proven =
        this.failedCycles === 0 &&
        this.lastFullOpenedAt !== null &&
        this.lastFullOpenedAt > Math.max(key.lastSeen, key.deprecatedAt ?? 0);
      return at !== null && at <= this.now && proven ? move(key, 'archived', `keys.archived ${path}`) : null;
    });
    for (const act of archiving) act();
    for (const [path, key] of [...this.keys]) {
      if (key.revoked || (key.state !== 'archived' && key.state !== 'expired')) continue;
      if (key.stateChangedAt + Math.max(this.settings.retention * seconds, day) > this.now) continue;
      this.keys.delete(path);
      this.refused.delete(path);
      this.told.push(`keys.purged ${path}`);
    }
    for (const [path, key] of this.keys) {
      for (const [reminder, event] of [
        ['archiveReminder', 'keys.archiving_soon'],
        ['expiryReminder', 'keys.expiring_soon'],
      ] as const) {
        const at = key[reminder];
        if (at === null || at > this.now) continue;
        this.told.push(`${event} ${path}`);
        key[reminder] = null;
        this.#remind(key);
      }
    }
  }

  archiveAt(key: Key): number | null {
    if (key.state !== 'deprecated' || key.revoked || !this.settings.autoDeprecate) return null;
    return (key.deprecatedAt ?? 0) + this.settings.grace * seconds;
  }

  #remind(key: Key): void {
    const live = (key.state === 'active' || key.state === 'deprecated') && !key.revoked;
    key.archiveReminder = this.#next(this.archiveAt(key), archiveMarks, key.archiveReminder);
    key.expiryReminder = this.#next(live ? key.expiresAt : null, expiryMarks, key.expiryReminder);
  }

  #next(due: number | null, marks: readonly number[], pending: number | null): number | null {
    if (due === null || due <= this.now) return null;
    if (pending !== null && pending <= this.now) return pending;
    const times = marks.map((mark) => due - mark).filter((time) => time > this.now);
    return times.length > 0 ? Math.min(...times) : null;
  }

  decide(verdict: 'approved' | 'rejected'): void {
    const open = this.holds.find(({ state }) => state === 'open');
    if (!open) return;
    this.told.push(`deprecation.settled ${verdict}`);
    if (verdict === 'approved') {
      open.state = 'approved';
      open.decidedAt = this.now;
      for (const path of open.keys.keys()) {
        const key = this.keys.get(path);
        if (key) key.kept = false;
      }
      return;
    }
    this.holds = this.holds.filter((hold) => hold !== open);
    for (const path of open.keys.keys()) {
      const key = this.keys.get(path);
      if (key) key.kept = true;
    }
  }

  /** Says nothing of what can't be done. */
  revoke(path: string): void {
    const key = this.keys.get(path);
    if (!key || key.revoked) return;
    if (key.state !== 'archived') Object.assign(key, { stateChangedAt: this.now, missing: false });
    Object.assign(key, { state: 'archived', revoked: true });
    this.#remind(key);
    this.told.push(`keys.revoked ${path}`);
  }

  unrevoke(path: string): void {
    const key = this.keys.get(path);
    if (!key?.revoked) return;
    Object.assign(key, { revoked: false, stateChangedAt: this.now });
    this.told.push(`keys.unrevoked ${path}`);
  }

  rollBack(path: string): void {
    const key = this.keys.get(path);
    const value = key?.values.get(key.version - 1);
    if (!key || value === undefined || value === key.value || !this.isServed(key)) return;
    this.setValue(key, value);
    key.rolledBack = value !== key.remoteValue;
    this.#remind(key);
    this.told.push(`keys.rolled_back ${path}`);
  }

  restore(path: string): void {
    const key = this.keys.get(path);
    const value = key?.backups.at(-1);
    if (!key || value === undefined || key.revoked) return;
    if (key.state !== 'deprecated' && key.state !== 'archived') return;
    if (key.expiresAt !== null && key.expiresAt <= this.now) return;
    if (value !== key.value) {
      this.setValue(key, value);
      key.rolledBack = value !== key.remoteValue;
    }
    const back = { deprecatedAt: null, outOfScope: false, approved: false, kept: true };
    Object.assign(key, back, { state: 'active', stateChangedAt: this.now, missing: false });
    this.#remind(key);
    this.told.push(`keys.restored ${path}`);
  }

  isServed = (key: Key): boolean =>
    (key.state === 'active' || key.state === 'deprecated') && (key.expiresAt === null || key.expiresAt > this.now);
}

const returns = (key: Key): boolean => !key.revoked && (key.state === 'deprecated' || key.state === 'archived');
