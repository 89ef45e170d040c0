import { KeyferryError } from './errors.ts';

const unitSeconds = { s: 1, m: 60, h: 3600, d: 86_400 } as const;

/** Seconds of `300s`, `15m`, `24h` or `90d`. Throws `duration_invalid` for anything else, zero included. */
export function parseDuration(text: string): number {
  const match = /^([1-9][0-9]{0,8})([smhd])$/.exec(text);
  if (!match) throw new KeyferryError('duration_invalid', `"${text}" is not a duration.`);
  return Number(match[1]) * unitSeconds[match[2] as keyof typeof unitSeconds];
}

/** The shortest text that `parseDuration` reads back as these seconds. */
export function formatDuration(seconds: number): string {
  for (const unit of ['d', 'h', 'm'] as const) {
    if (seconds > 0 && seconds % unitSeconds[unit] === 0) return `${seconds / unitSeconds[unit]}${unit}`;
  }
  return `${seconds}s`;
}
