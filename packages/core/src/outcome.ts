/** What came of a listed secret. Every one that a cycle discovers has exactly one of these. */
export const outcomes = [
  'added',
  'updated',
  'unchanged',
  'restored',
  'ahead',
  'conflicting',
  'invalid',
  'skipped',
  'failed',
  'gone',
] as const;
export type Outcome = (typeof outcomes)[number];

/**
 * Counted beside the outcomes: keys that the listing did not bring (`kept` by a person's word), keys that got another name,
 * how many of the skipped are excluded, sync_paths below which nothing was found, new credentials that the vault refused,
 * keys of which not every earlier version could be read, and values that are carried with a warning. Of keys that were changed
 * here: those that were written to the vault, or could not be, and those whose secret is gone from the vault, which are in
 * conflict or are kept as values that are only here.
 */
export const sideCounts = [
  'deprecated',
  'archived',
  'expired',
  'missing',
  'kept',
  'renamed',
  'held',
  'unconfirmed',
  'empty',
  'excluded',
  'out_of_scope',
  'credentials_refused',
  'history_incomplete',
  'warned',
  'pushed',
  'unpushed',
  'conflicts_removed',
  'local_only',
] as const;
export type SideCount = (typeof sideCounts)[number];

export type CycleCounts = Record<'discovered' | Outcome | SideCount, number>;

export function emptyCounts(): CycleCounts {
  return Object.fromEntries(['discovered', ...outcomes, ...sideCounts].map((name) => [name, 0])) as CycleCounts;
}

/** Outcomes that a person should look at, but for what is skipped because a person excluded it: a completed cycle with any of them has issues. */
export const issueOutcomes: readonly Outcome[] = ['conflicting', 'invalid', 'skipped', 'failed'];

export function issuesOf(counts: CycleCounts): number {
  return (
    issueOutcomes.reduce((sum, outcome) => sum + counts[outcome], 0) +
    counts.unconfirmed +
    counts.empty +
    counts.credentials_refused +
    counts.history_incomplete +
    counts.unpushed +
    counts.conflicts_removed -
    counts.excluded
  );
}

/** Invariant 8: whether every discovered secret has its outcome. */
export function addsUp(counts: CycleCounts): boolean {
  return counts.discovered === outcomes.reduce((sum, outcome) => sum + counts[outcome], 0);
}
