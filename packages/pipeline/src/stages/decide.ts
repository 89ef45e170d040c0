import {
  type KeyType,
  type Lifecycle,
  type Outcome,
  type RemoteReading,
  type Settlement,
  settle,
} from '@keyferry/core';
import {
  type Backend,
  type Finding,
  type Issue,
  type KeyWrite,
  type StoredKey,
  type TenantKeys,
  valueBinding,
} from '@keyferry/store';
import type { Judge, Judgement } from '@keyferry/validation';
import type { SecretReading } from '@keyferry/vaults';
import type { Reading } from './commit-part.ts';

/** Twice what Vault takes, and more than any other vault does. */
const maxValueBytes = 2 * 1024 * 1024;

export interface Decision {
  item: Reading;
  known: StoredKey | null;
  outcome: Outcome;
  write: KeyWrite | null;
  issues: Issue[];
  /** What validation says of the value; null where it was not looked at. */
  finding: Finding | null;
}

export interface DecisionInput {
  item: Reading;
  known: StoredKey | null;
  /** For a key that is new. */
  id: string;
  backend: Backend;
  judge: Judge;
  lifecycle: Lifecycle;
  keys: TenantKeys;
  now: Date;
  /** Versions that the vault made before this one and that were not seen here, the oldest first. */
  earlier?: SecretReading[];
}

/** What becomes of one secret that was read. Encrypts a value that is to be stored. */
export function decide(input: DecisionInput): Decision {
  const { change, ...judged } = judgeReading(input);
  return { ...judged, write: change && writeOf(input, change) };
}

/** A decision without the write that follows from it. */
export interface Judged extends Omit<Decision, 'write'> {
  /** Null where nothing is to be written. */
  change: { settlement: Settlement; digest: Buffer; type: KeyType } | null;
}

type ReadingToJudge = Pick<DecisionInput, 'item' | 'known' | 'backend' | 'judge' | 'keys' | 'now'>;

/**
 * What becomes of one secret that was read, without encrypting anything. A value that validation refuses never replaces one
 * that is stored: what was served goes on being served.
 */
export function judgeReading(input: ReadingToJudge): Judged {
  const { item, known, backend, judge, keys, now } = input;
  const { value, metadata } = item.reading;
  if (value.size > maxValueBytes) return tooLarge(input);
  const judgement = judge.judge(item.local, value.reveal(), metadata.type);
  if (judgement.rejected) return refused(input, judgement.problems);

  const digest = keys.digest(value.reveal());
  const remote: RemoteReading = { ...item.reading, digest: digest.toString('hex') };
  const settlement = settle(known, remote, backend.conflict_policy, now);
  const { outcome } = settlement;
  const warnings = judgement.problems.map((problem) => warningOf(item, problem));
  return {
    item,
    known,
    outcome,
    change: settlement.write === 'none' ? null : { settlement, digest, type: judgement.type },
    issues: [...issuesOf(item, outcome), ...warnings],
    finding: findingOf(item, false, judgement.problems),
  };
}

function writeOf(
  { item, known, id, backend, lifecycle, keys, now, earlier = [] }: DecisionInput,
  { settlement, digest, type }: NonNullable<Judged['change']>,
): KeyWrite {
  const { reading } = item;
  const keyId = known?.id ?? id;
  const replaces = settlement.write === 'value';
  const before = known?.version ?? 0;
  const version = versionAfter(settlement, known, earlier.length);
  const value = reading.value.reveal();
  const sealed = (bytes: Buffer, number: number) =>
    keys.seal(bytes, valueBinding(backend.tenant_id, keyId, number)).ciphertext;
  const digests = digestsAfter(settlement, known, digest);
  const overlap = known && replaces ? lifecycle.overlapOf(item.local) : 0;
  return {
    id: keyId,
    rowVersion: known?.rowVersion ?? null,
    version,
    remotePath: item.remote,
    localPath: item.local,
    type,
    state: settlement.state,
    contentType: reading.contentType,
    metadata: reading.metadata,
    remoteVersion: reading.version,
    remoteRevision: reading.revision,
    remoteCreatedAt: reading.createdAt,
    ...digests,
    expiresAt: reading.expiresAt,
    ...timesAfter(settlement, { item, known, lifecycle, now, replaces }),
    rolledBack: known?.rolledBack === true && !digests.localDigest.equals(digest),
    ciphertext: replaces ? sealed(value, version) : null,
    readableUntil: overlap > 0 ? new Date(now.getTime() + overlap * 1000) : null,
    earlier: earlier.map((old, index) => ({
      version: before + index + 1,
      contentType: old.contentType,
      metadata: old.metadata,
      remoteVersion: old.version,
      remoteCreatedAt: old.createdAt,
      ciphertext: sealed(old.value.reveal(), before + index + 1),
    })),
  };
}

/** The number of the current version after the write, with so many earlier ones stored before it. */
export function versionAfter({ write }: Settlement, known: StoredKey | null, earlier: number): number {
  const before = known?.version ?? 0;
  return write === 'value' ? before + earlier + 1 : before;
}

/** When what is due for the key after the write. */
function timesAfter(
  { state }: Settlement,
  {
    item,
    known,
    lifecycle,
    now,
    replaces,
  }: Pick<DecisionInput, 'item' | 'known' | 'lifecycle' | 'now'> & { replaces: boolean },
) {
  const { purgeAt, expiryReminderAt, rotationDueAt } = lifecycle.timesOf(
    {
      localPath: item.local,
      state,
      revoked: known?.revoked ?? false,
      stateChangedAt: known && known.state === state ? known.stateChangedAt : now,
      deprecatedAt: state === 'active' ? null : (known?.deprecatedAt ?? null),
      expiresAt: item.reading.expiresAt,
      valueAt: known && !replaces ? known.valueAt : (item.reading.createdAt ?? now),
      archiveReminderAt: null,
      expiryReminderAt: known?.expiryReminderAt ?? null,
    },
    now,
  );
  return { purgeAt, expiryReminderAt, rotationDueAt };
}

/** Where base, local and remote stand after the write. Base is what both sides last agreed on, or know of each other. */
function digestsAfter({ write }: Settlement, known: StoredKey | null, digest: Buffer) {
  const same = { baseDigest: digest, localDigest: digest, remoteDigest: digest };
  if (known === null || write === 'value') return same;
  const local = Buffer.from(known.localDigest, 'hex');
  if (local.equals(digest)) return same;
  return { baseDigest: digest, localDigest: local, remoteDigest: digest };
}

function tooLarge(input: ReadingToJudge): Judged {
  const { remote, reading } = input.item;
  const message = `"${remote}" has ${reading.value.size} bytes, more than a key may have.`;
  return refused(input, [{ code: 'value_too_large', message }]);
}

/** What is stored, if anything is, stays as it is. */
function refused({ item, known }: ReadingToJudge, problems: Judgement['problems']): Judged {
  const issues = problems.map(
    ({ code, message }): Issue => ({
      remotePath: item.remote,
      outcome: 'invalid',
      code,
      class: code === 'value_too_large' ? 'too_large' : 'invalid',
      message,
    }),
  );
  return { item, known, outcome: 'invalid', change: null, issues, finding: findingOf(item, true, problems) };
}

const findingOf = ({ remote, reading }: Reading, rejected: boolean, problems: Judgement['problems']): Finding => ({
  remotePath: remote,
  remoteRevision: reading.revision,
  rejected,
  problems,
});

const warningOf = ({ remote }: Reading, { code, message }: Judgement['problems'][number]): Issue => ({
  remotePath: remote,
  outcome: 'warned',
  code,
  class: null,
  message,
});

/** A key of another backend, or of another secret of this one, came to have the path after this was validated. */
export function pathTaken(item: Reading): Judged {
  const message = `"${item.local}" was taken by another key in the meantime.`;
  const issue: Issue = { remotePath: item.remote, outcome: 'skipped', code: 'path_taken', class: null, message };
  return { item, known: null, outcome: 'skipped', change: null, issues: [issue], finding: null };
}

function issuesOf({ remote }: Reading, outcome: Outcome): Issue[] {
  if (outcome === 'conflicting') {
    const message = `"${remote}" was changed in the vault and here.`;
    return [{ remotePath: remote, outcome, code: 'conflict_manual', class: null, message }];
  }
  if (outcome === 'skipped') {
    const message = `"${remote}" has an older version in the vault than the one stored.`;
    return [{ remotePath: remote, outcome, code: 'version_older', class: null, message }];
  }
  return [];
}
