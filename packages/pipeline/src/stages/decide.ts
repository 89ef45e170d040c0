import {
  isPushed,
  type KeyType,
  keptSide,
  type Lifecycle,
  maxValueBytes,
  type Outcome,
  pushes,
  type RemoteReading,
  type Settlement,
  settle,
  settleOwnWrite,
} from '@keyferry/core';
import type {
  Backend,
  BegunWrite,
  Finding,
  Issue,
  KeyWrite,
  SeenConflict,
  StoredKey,
  TenantKeys,
} from '@keyferry/store';
import type { Judge, Judgement } from '@keyferry/validation';
import type { SecretReading, Written } from '@keyferry/vaults';
import type { Reading } from './commit-part.ts';
import { writeOf, writeOfPushed } from './write-of.ts';

export interface Decision extends Omit<Judged, 'change'> {
  write: KeyWrite | null;
  /** Its value was written to the vault. */
  pushed: boolean;
}

export interface DecisionInput {
  item: Reading;
  known: StoredKey | null;
  /** A write to the vault that was begun and not stored; null where there is none. */
  begun: BegunWrite | null;
  /** For a key that is new. */
  id: string;
  /** As it was before the vault was asked. */
  backend: Backend;
  judge: Judge;
  lifecycle: Lifecycle;
  keys: TenantKeys;
  now: Date;
  /** Versions that the vault made before this one and that were not seen here, the oldest first. */
  earlier?: SecretReading[];
  /** What the vault has answered, where the value here was written to it. */
  pushed?: Written;
}

/** What becomes of one secret that was read. Encrypts a value that is to be stored. */
export function decide(input: DecisionInput): Decision {
  const { change, ...judged } = judgeReading(input);
  const { known, push } = judged;
  if (input.pushed && known && push)
    return { ...judged, write: writeOfPushed(input, push, known, input.pushed), pushed: true };
  return { ...judged, write: change && writeOf(input, change), pushed: false };
}

/** How a value was settled that was read and not refused. */
export interface Settled {
  settlement: Settlement;
  digest: Buffer;
  type: KeyType;
  /** The write of ours that made it, where that is what it is. */
  begun: BegunWrite | null;
}

/** Which side of a key was kept, and the vault's digest that it was settled with. */
export interface KeptSide {
  side: 'local' | 'remote' | 'both';
  remoteDigest: string;
}

/** A decision without the write that follows from it. */
export interface Judged {
  item: Reading;
  known: StoredKey | null;
  outcome: Outcome;
  /** Null where nothing is to be written. */
  change: Settled | null;
  /** Where the value here is to be written to the vault. */
  push: Settled | null;
  /** Where a person has to settle it. */
  conflict: SeenConflict | null;
  /** Null where nothing was settled, or there was nothing to settle it with. */
  kept: KeptSide | null;
  /** The begun write whose outcome is known by now. */
  over: string | null;
  issues: Issue[];
  /** What validation says of the value; null where it was not looked at. */
  finding: Finding | null;
}

type ReadingToJudge = Pick<DecisionInput, 'item' | 'known' | 'begun' | 'backend' | 'judge' | 'keys' | 'now'>;

/**
 * What becomes of one secret that was read, without encrypting anything. A value that validation refuses never replaces one
 * that is stored: what was served goes on being served.
 */
export function judgeReading(input: ReadingToJudge): Judged {
  const { item, known, begun, backend, judge, keys, now } = input;
  // What was read may be older than what was written here since: the next cycle looks again.
  if (known !== null && known.writeSeq > backend.write_seq) return { ...nothingOf(item, known), outcome: 'unchanged' };
  const { value, metadata } = item.reading;
  if (value.size > maxValueBytes) return tooLarge(input);
  const judgement = judge.judge(item.local, value.reveal(), metadata.type);
  if (judgement.rejected) return refused(input, judgement.problems);

  const digest = keys.digest(value.reveal());
  const remote: RemoteReading = { ...item.reading, digest: digest.toString('hex') };
  const own = begun?.kind === 'put' && begun.valueDigest === remote.digest ? begun : null;
  const settlement = own ? settleOwnWrite(known, remote, now) : settle(known, remote, backend.conflict_policy, now);
  const { outcome } = settlement;
  const settled: Settled = { settlement, digest, type: judgement.type, begun: own };
  const warnings = judgement.problems.map((problem) => warningOf(item, problem));
  return {
    item,
    known,
    outcome,
    change: settlement.write === 'none' ? null : settled,
    push: known && !begun && pushes(backend) && isPushed(known, settlement, remote.digest) ? settled : null,
    conflict: outcome === 'conflicting' && known ? conflictOf(item, known, digest) : null,
    kept: known && keptOf(own ? 'both' : keptSide(known, settlement, remote.digest), remote),
    // One that has not come to the vault may still be under way.
    over: begun && (own || begun.claimedUntil <= now) ? begun.id : null,
    issues: [...issuesOf(item, outcome), ...warnings],
    finding: findingOf(item, false, judgement.problems),
  };
}

/** Nothing is done about it. */
const nothingOf = (item: Reading, known: StoredKey | null): Omit<Judged, 'outcome'> => ({
  item,
  known,
  change: null,
  push: null,
  conflict: null,
  kept: null,
  over: null,
  issues: [],
  finding: null,
});

const keptOf = (side: KeptSide['side'] | null, { digest }: RemoteReading): KeptSide | null =>
  side && { side, remoteDigest: digest };

const conflictOf = ({ reading }: Reading, known: StoredKey, digest: Buffer): SeenConflict => ({
  keyId: known.id,
  rowVersion: known.rowVersion,
  kind: 'changed',
  remoteDigest: digest,
  remoteVersion: reading.version,
  remoteCreatedAt: reading.createdAt,
  metadata: reading.metadata,
});

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
  return { ...nothingOf(item, known), outcome: 'invalid', issues, finding: findingOf(item, true, problems) };
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
  return { ...nothingOf(item, null), outcome: 'skipped', issues: [issue] };
}

/** The tenant has as many keys as it may have, and this would be another. */
export const beyondLimit = (item: Reading): Judged => ({
  ...nothingOf(item, null),
  outcome: 'skipped',
  issues: [limitIssue(item.remote)],
});

export const limitIssue = (remotePath: string): Issue => ({
  remotePath,
  outcome: 'skipped',
  code: 'tenant_limit_reached',
  class: null,
  message: `"${remotePath}" is not stored: the tenant has as many keys as it may have.`,
});

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
