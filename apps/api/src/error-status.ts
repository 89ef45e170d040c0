import type { ErrorCode } from '@keyferry/core';

/** The HTTP status of each code that an answer can have; every other code is a fault of ours. */
const statuses: Partial<Record<ErrorCode, number>> = {
  request_invalid: 400,
  config_invalid: 400,
  rule_unmatched: 400,
  duration_invalid: 400,
  glob_invalid: 400,
  mapping_not_invertible: 400,
  rule_invalid: 400,
  backend_kind_unknown: 400,
  reference_invalid: 400,
  reference_refused: 400,
  reference_unresolved: 400,
  credentials_cycle: 400,
  credentials_withdrawn: 400,
  egress_refused: 400,

  unauthorized: 401,

  not_found: 404,
  backend_not_found: 404,
  cycle_not_found: 404,
  failure_not_found: 404,
  hold_not_found: 404,
  key_not_found: 404,
  channel_not_found: 404,
  rule_not_found: 404,
  delivery_not_found: 404,

  backend_exists: 409,
  backend_has_keys: 409,
  credentials_in_use: 409,
  cycle_running: 409,
  hold_over: 409,
  hold_outdated: 409,
  nothing_to_replay: 409,
  channel_exists: 409,
  channel_in_use: 409,
  rule_exists: 409,
  limit_reached: 409,
  delivery_not_over: 409,

  vault_not_found: 502,
  vault_deleted: 502,
  vault_disabled: 502,
  vault_forbidden: 502,
  vault_unauthenticated: 502,
  vault_throttled: 502,
  vault_unavailable: 502,
  vault_conflict: 502,
  vault_invalid: 502,
  vault_too_large: 502,
  vault_sealed: 502,
  vault_suspended: 502,
  container_missing: 502,
  container_unproven: 502,
  container_changed: 502,
  container_mismatch: 502,
  listing_incomplete: 502,
  delivery_refused: 502,
  delivery_unavailable: 502,
  delivery_timeout: 504,
  vault_timeout: 504,

  database_unavailable: 503,
  database_outdated: 503,
  redis_unavailable: 503,
};

export function statusOf(code: ErrorCode): number {
  return statuses[code] ?? 500;
}
