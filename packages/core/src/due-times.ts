import { type Glob, parseGlob } from './glob.ts';
import type { KeyState } from './lifecycle.ts';

/** When time does what to a key: reckoned here alone, from its backend's settings, and stored with the key. */

/** What differs by path; a member that a rule doesn't have is left to the rules after it, and then to the backend. */
export interface LifecycleRule {
  /** Globs of local paths. */
  paths: string[];
  grace_period_seconds?: number;
  retain_archived_seconds?: number;
  rotation_overlap_seconds?: number;
  rotate_every_seconds?: number;
}

/** The members of a backend that say when what is due. Durations are seconds. */
export interface LifecycleSettings {
  auto_deprecate: boolean;
  grace_period_seconds: number;
  retain_archived_seconds: number;
  rotation_overlap_seconds: number;
  lifecycle_rules: LifecycleRule[];
  /** So long before they are archived, people are told of deprecated keys. */
  archive_reminders: number[];
  expiry_reminders: number[];
}

/** Nothing is purged sooner than this: the guard counts what went, and what was a mistake can be mended. */
const leastRetention = 24 * 3600;

/** What decides on a key's times. */
export interface TimedKey {
  localPath: string;
  state: KeyState;
  revoked: boolean;
  stateChangedAt: Date;
  deprecatedAt: Date | null;
  expiresAt: Date | null;
  /** When its current value was made. */
  valueAt: Date;
  /** Reminders as they stand: one that is due and was not told yet is not forgotten. */
  archiveReminderAt: Date | null;
  expiryReminderAt: Date | null;
}

/** Null where it isn't to be. */
export interface DueTimes {
  archiveAt: Date | null;
  purgeAt: Date | null;
  archiveReminderAt: Date | null;
  expiryReminderAt: Date | null;
  rotationDueAt: Date | null;
}

export interface Lifecycle {
  timesOf(key: TimedKey, now: Date): DueTimes;
  /** For how many seconds the version before may still be read by its number. */
  overlapOf(localPath: string): number;
}

type Period = Exclude<keyof LifecycleRule, 'paths'>;

export function parseLifecycle(settings: LifecycleSettings): Lifecycle {
  const rules = settings.lifecycle_rules.map((rule) => ({ rule, globs: rule.paths.map(parseGlob) }));
  const ofRules = (path: string, period: Period): number | undefined =>
    rules.find(({ rule, globs }) => rule[period] !== undefined && matches(globs, path))?.rule[period];

  return {
    overlapOf: (path) => ofRules(path, 'rotation_overlap_seconds') ?? settings.rotation_overlap_seconds,
    timesOf(key, now) {
      const grace = ofRules(key.localPath, 'grace_period_seconds') ?? settings.grace_period_seconds;
      const retained = ofRules(key.localPath, 'retain_archived_seconds') ?? settings.retain_archived_seconds;
      const rotateEvery = ofRules(key.localPath, 'rotate_every_seconds');
      const served = (key.state === 'active' || key.state === 'deprecated') && !key.revoked;
      const expiresAt = served ? key.expiresAt : null;
      const archiveAt =
        key.state === 'deprecated' && served && settings.auto_deprecate
          ? later(key.deprecatedAt ?? key.stateChangedAt, grace)
          : null;
      return {
        archiveAt,
        purgeAt: served || key.revoked ? null : later(key.stateChangedAt, Math.max(retained, leastRetention)),
        archiveReminderAt: archiveAt && nextReminder(archiveAt, settings.archive_reminders, key.archiveReminderAt, now),
        expiryReminderAt: expiresAt && nextReminder(expiresAt, settings.expiry_reminders, key.expiryReminderAt, now),
        rotationDueAt: key.state === 'active' && rotateEvery !== undefined ? later(key.valueAt, rotateEvery) : null,
      };
    },
  };
}

export const matches = (globs: readonly Glob[], path: string): boolean => globs.some((glob) => glob.test(path));

/** The next mark that is still to come, so that marks that don't fit are left out; one that is due stays due. */
function nextReminder(due: Date, marks: readonly number[], pending: Date | null, now: Date): Date | null {
  if (due <= now) return null;
  if (pending && pending <= now) return pending;
  const times = marks.map((mark) => due.getTime() - mark * 1000).filter((time) => time > now.getTime());
  return times.length > 0 ? new Date(Math.min(...times)) : null;
}

const later = (from: Date, seconds: number): Date => new Date(from.getTime() + seconds * 1000);
