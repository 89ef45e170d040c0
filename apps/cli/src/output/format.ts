import { type CycleCounts, outcomes, sideCounts } from '@keyferry/core';

/** `0.3 s`, `12 s`, `4 min`, `3 h`, `2 d` */
export function duration(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 100) return `${Math.round(seconds)} s`;
  if (seconds < 100 * 60) return `${Math.round(seconds / 60)} min`;
  return seconds < 72 * 3600 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} d`;
}

/** `12 s ago`, `in 4 min`, or null for null. */
export function relative(time: string | null, now: Date): string | null {
  if (time === null) return null;
  const away = new Date(time).getTime() - now.getTime();
  return away > 0 ? `in ${duration(away)}` : `${duration(-away)} ago`;
}

/** `12 discovered: 11 unchanged, 1 updated; 2 deprecated`. What is zero is left out. */
export function countsText(counts: Partial<CycleCounts>): string {
  const named = (names: readonly (keyof CycleCounts)[]) =>
    names
      .filter((name) => counts[name])
      .map((name) => `${counts[name]} ${name.replaceAll('_', ' ')}`)
      .join(', ');
  const found = named(outcomes);
  const beside = named(sideCounts);
  return `${counts.discovered ?? 0} discovered${found && `: ${found}`}${beside && `; ${beside}`}`;
}

/** `1 key`, `2 keys` */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
