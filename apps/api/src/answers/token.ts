import type { TokenAnswer } from '@keyferry/contracts';
import type { TokenRow } from '@keyferry/store';
import { shownTime } from './key.ts';

export function showToken(token: TokenRow, now: Date): TokenAnswer {
  return {
    id: token.id,
    identity_id: token.identity_id,
    name: token.name,
    shown: token.shown,
    state: stateOf(token, now),
    created_by: token.created_by,
    created_at: token.created_at.toISOString(),
    expires_at: shownTime(token.expires_at),
    revoked_at: shownTime(token.revoked_at),
    last_used_at: shownTime(token.last_used_at),
  };
}

function stateOf({ revoked_at, expires_at }: TokenRow, now: Date): TokenAnswer['state'] {
  if (revoked_at !== null) return 'revoked';
  return expires_at !== null && expires_at <= now ? 'expired' : 'active';
}
