import type { Outcome, PlanWord } from '@keyferry/core';
import type { Candidate, Issue } from '@keyferry/store';
import type { Judged } from '../stages/decide.ts';
import { versionAfter } from '../stages/write-of.ts';

/** One line of a plan. Never a value. */
export interface PlanChange {
  change: PlanWord;
  /** The local path; null where it can't be carried, or where the line is about none. */
  path: string | null;
  remote_path: string;
  /** One sentence. */
  reason: string;
  /** Of the error catalogue, where something is wrong. */
  code: string | null;
  /** How a call to the vault failed, where one has. */
  class: string | null;
  /** Where the value changes: the version that is served now, and the one that would be. */
  from_version?: number;
  to_version?: number;
  /** The local path that a key would have. */
  new_path?: string;
}

/** A line about something that is in order. */
export function plain(
  change: PlanWord,
  { remotePath, localPath }: Pick<Candidate, 'remotePath' | 'localPath'>,
  reason: string,
): PlanChange {
  return { change, path: localPath, remote_path: remotePath, reason, code: null, class: null };
}

/** A line about what a cycle would report. */
export function reported(change: PlanWord, path: string | null, issue: Issue): PlanChange {
  const { remotePath, code, class: failureClass, message } = issue;
  return { change, path, remote_path: remotePath, reason: message, code, class: failureClass };
}

/** What was found of the versions before the one that was read. */
export interface EarlierVersions {
  count: number;
  issue: Issue | null;
}

/** The lines about one secret that was read: none where nothing would be seen of it. */
export function changesOfReading(judged: Judged, earlier: EarlierVersions): PlanChange[] {
  const { item, issues } = judged;
  const { local } = item;
  const warnings = issues.filter(({ outcome }) => outcome === 'warned');
  const problem = problemWords[judged.outcome];
  return [
    ...(problem ? joined(problem, local, issues) : changeOf(judged, earlier.count)),
    ...(judged.push ? [pushOf({ remotePath: item.remote, localPath: local })] : []),
    ...joined('warn', local, problem ? [] : warnings),
    ...(earlier.issue ? [reported('warn', local, earlier.issue)] : []),
  ];
}

export const pushOf = (key: Pick<Candidate, 'remotePath' | 'localPath'>): PlanChange =>
  plain('push', key, 'The vault lacks the value that it was given here.');

/** Outcomes by which nothing is written. */
const problemWords: Partial<Record<Outcome, PlanWord>> = {
  invalid: 'invalid',
  conflicting: 'conflict',
  skipped: 'skip',
};

/** One line for all that is wrong with one secret. */
function joined(change: PlanWord, path: string, issues: readonly Issue[]): PlanChange[] {
  const [first] = issues;
  if (!first) return [];
  return [{ ...reported(change, path, first), reason: issues.map(({ message }) => message).join(' ') }];
}

function changeOf({ item, known, outcome, change, push }: Judged, earlier: number): PlanChange[] {
  const settlement = change?.settlement;
  const state = settlement?.state ?? known?.state;
  const versions = {
    ...(known && { from_version: known.version }),
    ...(settlement && { to_version: versionAfter(settlement, known, earlier) }),
  };
  const line = (word: PlanWord, reason: string): PlanChange[] => [
    {
      ...plain(word, { remotePath: item.remote, localPath: item.local }, reason),
      ...(settlement?.write === 'value' && versions),
    },
  ];
  if (known === null)
    return line('add', `It is new in the vault${state === 'expired' ? ', and has expired already' : ''}.`);
  if (state !== known.state && state === 'expired') return line('expire', 'Its expiry has passed.');
  if (state !== known.state)
    return line(
      'restore',
      known.state === 'expired' ? 'It was renewed in the vault.' : `It was ${known.state}, and is in the vault again.`,
    );
  if (settlement?.write === 'value') return line('update', 'The vault has another value.');
  if (outcome !== 'ahead' || push) return [];
  const what = known.tombstone ? 'It was deleted here' : 'It was changed here';
  return line('keep', `${what}, and the value of the vault does not replace it.`);
}
