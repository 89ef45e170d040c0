import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type ConflictPolicy,
  conflictPolicies,
  isServed,
  type KnownKey,
  nextState,
  type RemoteReading,
  settle,
} from '../src/index.ts';

/** Random lives of one key, between a vault, people and time, against what always has to hold. */

interface Vault {
  /** Null while the vault has no such secret. */
  secret: RemoteReading | null;
  /** What a slow worker read some time ago and may only write now. */
  stale: RemoteReading | null;
}

interface Life {
  now: Date;
  key: KnownKey | null;
  policy: ConflictPolicy;
}

const start = Date.UTC(2026, 0, 1);
let values = 0;

class Put implements fc.Command<Life, Vault> {
  readonly ttl: number | null;
  constructor(ttl: number | null) {
    this.ttl = ttl;
  }
  check = () => true;
  run(life: Life, vault: Vault) {
    const version = String(Number(vault.secret?.version ?? 0) + 1);
    const expiresAt = this.ttl === null ? null : new Date(life.now.getTime() + this.ttl * 1000);
    vault.secret = {
      digest: `v${++values}`,
      version,
      revision: `${version}.${values}`,
      createdAt: life.now,
      expiresAt,
    };
  }
  toString = () => `put(${this.ttl ?? ''})`;
}

class Destroy implements fc.Command<Life, Vault> {
  check = () => true;
  run(_life: Life, vault: Vault) {
    vault.secret = null;
  }
  toString = () => 'destroy';
}

class ReadSlowly implements fc.Command<Life, Vault> {
  check = () => true;
  run(_life: Life, vault: Vault) {
    vault.stale = vault.secret;
  }
  toString = () => 'read slowly';
}

class Pass implements fc.Command<Life, Vault> {
  readonly seconds: number;
  constructor(seconds: number) {
    this.seconds = seconds;
  }
  check = () => true;
  run(life: Life) {
    life.now = new Date(life.now.getTime() + this.seconds * 1000);
  }
  toString = () => `pass(${this.seconds})`;
}

/** Writes what `settle` decided as the store does. */
function write(life: Life, remote: RemoteReading) {
  const before = life.key;
  const settlement = settle(before, remote, life.policy, life.now);
  if (settlement.write === 'none') return settlement;
  const keepsLocal = before !== null && settlement.write !== 'value' && before.localDigest !== remote.digest;
  life.key = {
    state: settlement.state,
    revoked: before?.revoked ?? false,
    baseDigest: remote.digest,
    localDigest: keepsLocal ? before.localDigest : remote.digest,
    remoteDigest: remote.digest,
    remoteVersion: remote.version,
    remoteRevision: remote.revision,
    remoteCreatedAt: remote.createdAt,
    expiresAt: remote.expiresAt,
    rolledBack: before?.rolledBack === true && keepsLocal,
    missed: false,
    tombstone: false,
    resolution: null,
  };
  return settlement;
}

class Sync implements fc.Command<Life, Vault> {
  check = () => true;
  run(life: Life, vault: Vault) {
    const before = life.key;
    if (vault.secret === null) {
      if (life.key) life.key = { ...life.key, state: stateAfter(life.key, 'removed') };
      return;
    }
    const secret = vault.secret;
    const settlement = write(life, secret);
    const key = life.key as KnownKey;
    if (before?.revoked) expect(key.state).toBe('archived');
    else if (settlement.outcome !== 'conflicting') {
      const past = secret.expiresAt !== null && secret.expiresAt <= life.now;
      expect(key.state).toBe(past ? 'expired' : 'active');
    }
    // Who only reads never loses what the vault has; what we changed is kept, or given up for the vault's.
    const changedHere = before !== null && before.localDigest !== before.baseDigest;
    if (!changedHere) expect(key.localDigest).toBe(secret.digest);
    else if (life.policy !== 'backend_wins') expect([before.localDigest, secret.digest]).toContain(key.localDigest);
    // Done twice, it is as if done once.
    const twice = settle(key, secret, life.policy, life.now);
    if (settlement.outcome !== 'conflicting') expect(twice).toMatchObject({ write: 'none', state: key.state });
    expect(['unchanged', 'ahead', 'conflicting']).toContain(twice.outcome);
  }
  toString = () => 'sync';
}

class WriteWhatWasReadSlowly implements fc.Command<Life, Vault> {
  check = () => true;
  run(life: Life, vault: Vault) {
    const before = life.key;
    if (vault.stale === null) return;
    const { createdAt } = vault.stale;
    write(life, vault.stale);
    if (before?.remoteCreatedAt && createdAt && createdAt < before.remoteCreatedAt) expect(life.key).toEqual(before);
  }
  toString = () => 'write what was read slowly';
}

class ChangeHere implements fc.Command<Life, Vault> {
  check = (life: Readonly<Life>) => life.key !== null;
  run(life: Life) {
    life.key = { ...(life.key as KnownKey), localDigest: `l${++values}` };
  }
  toString = () => 'change here';
}

class Revoke implements fc.Command<Life, Vault> {
  check = (life: Readonly<Life>) => life.key !== null;
  run(life: Life) {
    const key = life.key as KnownKey;
    life.key = { ...key, state: stateAfter(key, 'revoked'), revoked: true };
  }
  toString = () => 'revoke';
}

class Sweep implements fc.Command<Life, Vault> {
  readonly event: 'expiryPassed' | 'graceOver' | 'retentionOver';
  constructor(event: Sweep['event']) {
    this.event = event;
  }
  check = (life: Readonly<Life>) => life.key !== null;
  run(life: Life) {
    const key = life.key as KnownKey;
    const due = this.event !== 'expiryPassed' || (key.expiresAt !== null && key.expiresAt <= life.now);
    if (!due) return;
    const next = nextState(key, this.event);
    life.key = next === 'purged' ? null : { ...key, state: next };
    // Served keys are never purged: they have to go through a state that isn't served first.
    if (next === 'purged') expect(isServed(key, life.now)).toBe(false);
  }
  toString = () => this.event;
}

function stateAfter(key: KnownKey, event: 'removed' | 'revoked') {
  const next = nextState(key, event);
  if (next === 'purged') throw new Error('only retention purges');
  return next;
}

test('whatever a vault, people and time do, a key is where the table says and never older than it was', () => {
  const commands = fc.commands(
    [
      fc.option(fc.integer({ min: 1, max: 5 })).map((ttl) => new Put(ttl)),
      fc.constant(new Destroy()),
      fc.constant(new ReadSlowly()),
      fc.integer({ min: 1, max: 4 }).map((seconds) => new Pass(seconds)),
      fc.constant(new Sync()),
      fc.constant(new Sync()),
      fc.constant(new WriteWhatWasReadSlowly()),
      fc.constant(new ChangeHere()),
      fc.constant(new Revoke()),
      fc.constantFrom<Sweep['event']>('expiryPassed', 'graceOver', 'retentionOver').map((event) => new Sweep(event)),
    ],
    { maxCommands: 40, size: 'max' },
  );
  fc.assert(
    fc.property(fc.constantFrom(...conflictPolicies), commands, (policy, steps) => {
      fc.modelRun(
        () => ({ model: { now: new Date(start), key: null, policy }, real: { secret: null, stale: null } }),
        steps,
      );
    }),
    { numRuns: 500 },
  );
});
