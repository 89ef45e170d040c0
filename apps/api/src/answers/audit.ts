import type { AuditEntryAnswer, VerifiedAnswer } from '@keyferry/contracts';
import { errorCatalogue } from '@keyferry/core';
import type { AuditRow, Verified } from '@keyferry/store';
import { shownTime } from './key.ts';

export function showAuditRow({ at, details, ...row }: AuditRow): AuditEntryAnswer {
  return { at: at.toISOString(), ...row, details: { ...details } };
}

export function showVerified(verified: Verified, milliseconds: number): VerifiedAnswer {
  const { unsealed, broken } = verified;
  return {
    ...verified,
    rows_per_second: Math.round((verified.rows / Math.max(milliseconds, 1)) * 1_000),
    unsealed: { ...unsealed, since: shownTime(unsealed.since) },
    broken: broken && {
      ...broken,
      code: 'audit_broken',
      action: errorCatalogue.audit_broken,
      at: shownTime(broken.at),
    },
  };
}
