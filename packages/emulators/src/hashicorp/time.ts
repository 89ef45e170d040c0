/** A moment, with a counter below the millisecond: the real server's timestamps have nine digits, less trailing zeros. */
export function formatTime(milliseconds: number, nanoseconds = 0): string {
  const iso = new Date(milliseconds).toISOString();
  const fraction = `${iso.slice(20, 23)}${String(nanoseconds).padStart(6, '0')}`.replace(/0+$/, '');
  return fraction === '' ? `${iso.slice(0, 19)}Z` : `${iso.slice(0, 19)}.${fraction}Z`;
}

/** Seconds as Go prints a duration: `0s`, `1m30s`, `2160h0m0s`. */
export function formatDuration(seconds: number): string {
  const sign = seconds < 0 ? '-' : '';
  const total = Math.abs(seconds);
  const hours = Math.floor(total / 3600);
  const minutes = Math.floor((total % 3600) / 60);
  const rest = `${total % 60}s`;
  if (hours > 0) return `${sign}${hours}h${minutes}m${rest}`;
  return minutes > 0 ? `${sign}${minutes}m${rest}` : `${sign}${rest}`;
}

const unitSeconds = { d: 86400, h: 3600, m: 60, s: 1 } as const;

/** Seconds from `90d`, `1h30m`, `45s` or a bare number; null if it can't be read. */
export function parseDuration(value: unknown): number | null {
  if (typeof value === 'number') return Number.isFinite(value) ? Math.trunc(value) : null;
  if (typeof value !== 'string' || value === '') return null;
  if (/^-?\d+$/.test(value)) return Number(value);
  if (!/^-?(\d+[dhms])+$/.test(value)) return null;
  let seconds = 0;
  for (const [, count, unit] of value.matchAll(/(\d+)([dhms])/g))
    seconds += Number(count) * unitSeconds[unit as keyof typeof unitSeconds];
  return value.startsWith('-') ? -seconds : seconds;
}
