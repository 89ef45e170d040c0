import type { SecretProperties } from '@azure/keyvault-secrets';
import { earlier, timeOf } from '../common/expiry-tag.ts';
import { fingerprint, sortedEntries } from '../common/revision.ts';

/**
 * The vault tells whole seconds: what was written twice in one of them looks alike. So what has changed just now, by the
 * vault's own clock, has no revision yet. Two more seconds are for answers that lag behind.
 */
const blindMs = 3_000;

/** Changes with the value and with all that is carried beside it. Null while that can't be told. */
export function revisionOf(properties: SecretProperties, vaultNow: number): string | null {
  const { updatedOn, enabled, contentType } = properties;
  const updated = secondsOf(updatedOn);
  if (updated === null || vaultNow - updated * 1000 < blindMs) return null;
  const parts = [enabled, secondsOf(properties.expiresOn), secondsOf(properties.notBefore), contentType];
  return `${updated}.${fingerprint([...parts, sortedEntries(metadataOf(properties))])}`;
}

/** The vault's clock, by the Date of its answer; ours where it has none. */
export function vaultNow(headers: Readonly<Record<string, string>>, now: number): number {
  const date = Date.parse(headers.date ?? '');
  return Number.isNaN(date) ? now : date;
}

/** The vault's own end, or the one in the tag `expires_at`, whichever comes first. The vault goes on serving it. */
export function expiryOf(properties: SecretProperties): Date | null {
  return earlier(dateOf(properties.expiresOn), timeOf(metadataOf(properties).expires_at));
}

export function metadataOf({ tags }: SecretProperties): Record<string, string> {
  const entries = Object.entries(tags ?? {});
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}

/** The SDK passes on what it was answered: not all that it calls a date is one, nor one that a database can hold. */
export function dateOf(value: unknown): Date | null {
  if (!(value instanceof Date) || Number.isNaN(value.getTime())) return null;
  const year = value.getUTCFullYear();
  return year >= 1 && year <= 9999 ? value : null;
}

function secondsOf(value: unknown): number | null {
  const date = dateOf(value);
  return date === null ? null : Math.floor(date.getTime() / 1000);
}
