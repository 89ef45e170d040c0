import { matches } from './due-times.ts';
import { parseGlob } from './glob.ts';
import type { KeyChange } from './key-change.ts';
import type { KeyState } from './lifecycle.ts';
import type { CycleTrigger } from './stage.ts';
import type { Problem } from './validation-rule.ts';

/** Why a key is as it is, in sentences for a person. */

export interface ToldCycle {
  id: string;
  /** Null where the cycle is no longer kept. */
  trigger: CycleTrigger | null;
}

export interface ToldChange {
  at: Date;
  change: KeyChange;
  from: KeyState | null;
  to: KeyState | null;
  version: number | null;
  cycle: ToldCycle | null;
  actor: string | null;
  reason: string | null;
}

/** What is stored of a key that there is. */
export interface ExplainedKey {
  state: KeyState;
  revoked: boolean;
  version: number;
  stateChangedAt: Date;
  deprecatedFor: 'absent' | 'out_of_scope' | null;
  createdAt: Date;
  createdIn: ToldCycle | null;
  expiresAt: Date | null;
  archiveAt: Date | null;
  purgeAt: Date | null;
  rotationDueAt: Date | null;
  missingSince: Date | null;
  kept: boolean;
  rolledBack: boolean;
  sides: ToldSides;
  /** The approved hold by which it went. */
  hold: { id: string; decidedBy: string | null } | null;
  finding: { rejected: boolean; problems: Problem[]; since: Date } | null;
}

/** Where a key's value is, and whether it is in conflict. */
export interface ToldSides {
  /** Deleted here, and not in the vault. */
  tombstone: boolean;
  /** Keyferry made its secret in the vault. */
  owned: boolean;
  /** The vault has nothing of it. */
  localOnly: boolean;
  /** It has another value than both sides last agreed on. */
  ahead: boolean;
  conflict: {
    kind: 'changed' | 'removed';
    since: Date;
    resolution: 'local' | 'remote' | null;
    resolvedBy: string | null;
  } | null;
}

export interface Explained {
  path: string;
  /** Null once it is purged. */
  key: ExplainedKey | null;
  /** The newest first. */
  story: ToldChange[];
  rules: MatchingRules;
}

/** Places of a backend's rules that a path matches, in their order. */
export interface MatchingRules {
  /** The one that judges its values. */
  validation: number | null;
  /** For each period the first of these that names it decides. */
  lifecycle: number[];
}

interface WithPaths {
  paths: string[];
}

export function rulesMatching(
  backend: { validation_rules: readonly WithPaths[]; lifecycle_rules: readonly WithPaths[] },
  path: string,
): MatchingRules {
  const places = (rules: readonly WithPaths[]) =>
    rules.flatMap(({ paths }, place) => (matches(paths.map(parseGlob), path) ? [place] : []));
  return { validation: places(backend.validation_rules)[0] ?? null, lifecycle: places(backend.lifecycle_rules) };
}

/** What is, then why, then what comes next, then what else a person should know. */
export function explainKey({ path, key, story, rules }: Explained, now: Date): string[] {
  if (!key) {
    const purged = story.find(({ change }) => change === 'purged');
    return [`"${path}" was purged${purged ? ` ${on(purged.at)}` : ''}: its values and backups are gone.`];
  }
  return [
    standing(path, key, now),
    ...why(key, story),
    ...next(key, now),
    ...sides(key),
    ...wordsOfPeople(key, story),
    ...findings(key),
    ...ruleSentences(rules),
    `It was first carried ${on(key.createdAt)}${key.createdIn ? `, by ${by(key.createdIn)}` : ''}.`,
  ];
}

function standing(path: string, { state, revoked, version, stateChangedAt, expiresAt }: ExplainedKey, now: Date) {
  const since = `since ${iso(stateChangedAt)}`;
  const expired = expiresAt !== null && expiresAt <= now;
  switch (state) {
    case 'active':
    case 'deprecated': {
      const served = state === 'active' ? 'served' : 'served with a warning';
      const end = expired ? 'no longer served, since its expiry has passed' : served;
      return `"${path}" is ${state} ${since}: version ${version} is ${end}.`;
    }
    case 'archived':
      return `"${path}" is ${revoked ? 'revoked and archived' : 'archived'} ${since}: it is not served.`;
    case 'expired':
      return `"${path}" is expired ${since}: it is not served.`;
  }
}

/** The last thing that gave it the state it has. */
function why(key: ExplainedKey, story: readonly ToldChange[]): string[] {
  const { state, deprecatedFor, hold } = key;
  if (state === 'active') return activeWhy(story);
  const last = story.find(({ to, from, change }) => to === state && (from !== to || change === 'revoked'));
  const cause = last ? causeOf(last, deprecatedFor) : null;
  const approval = hold ? [`${hold.decidedBy ?? 'Somebody'} let it go, by approving the hold ${hold.id}.`] : [];
  return [...(cause ? [cause] : []), ...approval];
}

function activeWhy(story: readonly ToldChange[]): string[] {
  const last = story.find(({ from, to }) => to === 'active' && from !== to);
  if (!last) return [];
  const how =
    last.change === 'restored'
      ? `${last.actor ?? 'Somebody'} restored it from a backup`
      : last.change === 'written'
        ? `It was ${last.from ?? 'gone'}, and ${last.actor ?? 'somebody'} wrote another value`
        : last.change === 'renewed'
          ? 'It was expired, and the vault renewed it'
          : `It was ${last.from ?? 'gone'}, and the vault had it again`;
  return [`${how}${found(last)}${quoted(last.reason)}.`];
}

function causeOf(change: ToldChange, deprecatedFor: ExplainedKey['deprecatedFor']): string {
  switch (change.change) {
    case 'deprecated':
      return deprecatedFor === 'out_of_scope'
        ? `The backend’s settings leave it out${found(change)}.`
        : `The vault was proven not to have it any more${found(change)}.`;
    case 'archived':
      return change.actor === null
        ? 'Its grace period was over, and the vault still lacked it.'
        : `${change.actor} did it${quoted(change.reason)}.`;
    case 'expired':
      return 'Its expiry has passed.';
    case 'deleted':
      return `${change.actor ?? 'Somebody'} deleted it ${on(change.at)}${quoted(change.reason)}.`;
    case 'revoked':
      return `${change.actor ?? 'Somebody'} revoked it ${on(change.at)}${quoted(change.reason)}.`;
    default:
      return `It was ${change.change.replaceAll('_', ' ')} ${on(change.at)}${quoted(change.reason)}.`;
  }
}

function next(key: ExplainedKey, now: Date): string[] {
  const { state, revoked, archiveAt, purgeAt, expiresAt, rotationDueAt, sides } = key;
  const overdue = rotationDueAt !== null && rotationDueAt <= now;
  return [
    ...(revoked ? ['It stays archived, and is never purged, until somebody lifts the revocation.'] : []),
    ...(archiveAt ? [`It is archived ${on(archiveAt)} if the vault still lacks it then.`] : []),
    ...(state === 'deprecated' && !archiveAt ? ['It is not archived: the backend’s auto_deprecate is off.'] : []),
    ...(purgeAt && !sides.tombstone ? [`It is purged ${on(purgeAt)}, unless it comes back before.`] : []),
    ...((state === 'active' || state === 'deprecated') && expiresAt ? [`Its expiry is ${on(expiresAt)}.`] : []),
    ...(rotationDueAt ? [`It ${overdue ? 'should have been' : 'is to be'} rotated ${on(rotationDueAt)}.`] : []),
  ];
}

function sides({ state, sides, rolledBack, kept }: ExplainedKey): string[] {
  const { tombstone, owned, localOnly, ahead, conflict } = sides;
  const changed = ahead && !localOnly && !tombstone && !rolledBack && !conflict;
  return [
    ...(conflict ? conflictSentences(conflict) : []),
    ...(tombstone ? ['It was deleted here, and stays, without being served or purged, while the vault has it.'] : []),
    ...(localOnly && state === 'active' && !kept ? ['Its value is only here: the vault has none of it.'] : []),
    ...(changed ? ['It was changed here, and the vault lacks that value.'] : []),
    ...(owned ? ['Keyferry made its secret in the vault, and removes it there when it is deleted here.'] : []),
  ];
}

function conflictSentences({ kind, since, resolution, resolvedBy }: NonNullable<ToldSides['conflict']>): string[] {
  const what =
    kind === 'changed' ? 'it was changed in the vault and here' : 'it was changed here, and is gone from the vault';
  const side = resolution === 'local' ? 'what is here' : 'what the vault has';
  return [
    `It is in conflict since ${iso(since)}: ${what}. It is left as it was.`,
    resolution
      ? `${resolvedBy ?? 'Somebody'} said to keep ${side}: the next cycle does.`
      : 'A person has to say which side is kept.',
  ];
}

function wordsOfPeople(key: ExplainedKey, story: readonly ToldChange[]): string[] {
  const back = story.find(({ change }) => change === 'rolled_back');
  const value = story.find(({ change }) => change === 'written' || change === 'rotated' || change === 'rolled_back');
  const written = value?.change === 'written' ? value : undefined;
  const lifted = key.revoked ? undefined : story.find(({ change }) => change === 'unrevoked');
  return [
    ...(key.missingSince ? [`No cycle has found it since ${iso(key.missingSince)}; auto_deprecate was off.`] : []),
    ...(key.kept ? ['A person’s word keeps it until the vault has it again.'] : []),
    ...(key.rolledBack
      ? [
          `An earlier value is served${back ? `, by ${back.actor ?? 'somebody'} ${on(back.at)}${quoted(back.reason)}` : ''}, until the vault has another.`,
        ]
      : []),
    ...(written ? [`${written.actor ?? 'Somebody'} wrote its value ${on(written.at)}${quoted(written.reason)}.`] : []),
    ...(lifted ? [`${lifted.actor ?? 'Somebody'} lifted a revocation ${on(lifted.at)}${quoted(lifted.reason)}.`] : []),
  ];
}

function findings({ finding }: ExplainedKey): string[] {
  if (!finding) return [];
  const what = finding.rejected ? 'The vault’s value was refused' : 'The vault’s value is carried with a warning';
  return finding.problems.map(({ code, message }) => `${what}, since ${iso(finding.since)}: ${message} (${code})`);
}

function ruleSentences({ validation, lifecycle }: MatchingRules): string[] {
  return [
    ...(validation === null ? [] : [`Its values are judged by validation_rules[${validation}].`]),
    ...(lifecycle.length === 0
      ? []
      : [`Its periods are set by ${lifecycle.map((place) => `lifecycle_rules[${place}]`).join(', ')}.`]),
  ];
}

const iso = (time: Date): string => time.toISOString();
const on = (time: Date): string => `on ${iso(time)}`;
const quoted = (reason: string | null): string => (reason === null ? '' : `: ${reason}`);
const found = ({ at, cycle }: ToldChange): string => ` (${iso(at)}${cycle ? `, ${by(cycle)}` : ''})`;
const by = ({ id, trigger }: ToldCycle): string => `cycle ${id}${trigger ? ` (${trigger})` : ''}`;
