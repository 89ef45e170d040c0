/**
 * What can go wrong, once for the whole product. `docs/errors.md` lists the same codes; a test holds the two together.
 */

/** How a call to a vault failed. Given once, where the SDK is; retry, breaker, event and words follow from it alone. */
export const failureClasses = [
  'not_found',
  'deleted',
  'disabled',
  'forbidden',
  'unauthenticated',
  'throttled',
  'unavailable',
  'timeout',
  'conflict',
  'invalid',
  'too_large',
] as const;

export type FailureClass = (typeof failureClasses)[number];

/** The action of each code: what the person who reads it does next. */
export const errorCatalogue = {
  // a vault, seen from one call
  vault_not_found: 'Check that the path exists in the vault and that sync_paths name it as the vault does.',
  vault_deleted: 'The vault holds the name but not its value. Undelete it there if it is still wanted.',
  vault_disabled: 'Enable the secret in the vault.',
  vault_forbidden: 'Give the backend’s identity permission for this path, in the vault’s policy.',
  vault_unauthenticated: 'Renew the credentials of the backend: `keyferry backend update <name>`.',
  vault_throttled: 'The vault limits requests. Raise its quota or the sync_interval.',
  vault_unavailable: 'Check that the vault is up and that its address can be reached from the workers.',
  vault_timeout: 'The vault did not answer in time. Check its load and the network between.',
  vault_conflict: 'Somebody else changed the secret at the same time. It is looked at again in the next cycle.',
  vault_invalid: 'The vault answered something that is not its protocol. Check the address and any proxy between.',
  vault_too_large: 'The answer is larger than Keyferry carries. Split the secret.',
  vault_sealed: 'Unseal the vault.',
  vault_suspended:
    'The vault failed many times in a row and is asked again after the wait that the message names. Check that it is up.',
  container_missing: 'Check the mount, project or vault name and the namespace in the backend’s configuration.',
  container_unproven:
    'Allow the identity to see the container (the mount, project, account or vault; docs/backends says how), so that absence can be proven.',
  container_changed:
    'If the vault was replaced on purpose, say so: `keyferry backend update <name> --accept-container`. Else correct the credentials or the address.',
  container_mismatch: 'Set `kv_version` to what the mount is, or leave it out so that it is detected.',
  listing_incomplete: 'Nothing was removed. Find the folder named in the message and allow listing it.',

  // a secret of a cycle
  nothing_found: 'Check sync_paths, mount and namespace: a folder that does not exist looks like an empty one.',
  path_incompatible: 'Rename the secret in the vault or map it with path_mapping.',
  path_taken: 'Another key has this local path. Give one of the two another path with path_mapping.',
  path_ambiguous: 'Two secrets of this backend map to one local path. Tell them apart with path_mapping.',
  value_too_large: 'Split the secret: a value may have at most 2 MiB.',
  version_older:
    'The vault shows an older version than the one stored, which stays. If the vault was restored from a backup, write the secret there anew.',
  conflict_manual: 'Both sides changed and the policy is manual. Resolve the conflict.',
  removal_unconfirmed: 'The listing lacked the secret, but a direct read did not prove it gone. It stays as it is.',
  history_incomplete:
    'The current version is carried. Check that the identity may read the versions the message names.',
  hidden_from_listing: 'The listing lacked the secret, but a direct read found it. It stays as it is.',
  value_type: 'Put a value of that type into the vault, or correct `type` of the rule that the message names.',
  value_pattern: 'Put a value that matches into the vault, or correct `pattern` of the rule that the message names.',
  value_too_short: 'Check whether the value was cut off, or lower `min_length` of the rule that the message names.',
  value_too_long: 'Check the value, or raise `max_length` of the rule that the message names.',
  value_schema: 'Correct the value at the place in the schema that the message names, or the schema.',
  value_field_missing: 'Add the field to the secret in the vault, or take it out of the rule that the message names.',
  value_not_json:
    'Store the secret as a JSON object with fields, or take the check out of the rule that the message names.',
  value_empty: 'Put the key into the vault, or remove the secret there.',
  placeholder: 'Put the real key into the vault.',
  whitespace_around: 'Store the key in the vault without white space or a newline around it.',
  format_malformed:
    'Copy the key from its provider once more. If it works as it is, a rule with `type: opaque` for the path ends this warning.',
  format_unexpected:
    'Check that the right key is at this path. If it is, a rule with `type: opaque` for the path ends this warning.',

  // a cycle
  cycle_exhausted: 'See `keyferry jobs failed`, mend the cause, then `keyferry jobs replay`.',
  cycle_not_found: 'List the cycles with `keyferry cycles list`.',
  cycle_running: 'Wait for the open cycle to end, or watch it with `keyferry cycles show`.',
  plan_busy: 'Wait for a plan to end, then ask again.',
  nothing_to_replay: 'There is no failed work for this backend.',
  failure_not_found: 'List failed work with `keyferry jobs failed`.',
  hold_not_found: 'List holds with `keyferry held list`.',
  hold_over: 'The hold has ended. If keys are still missing, the next cycle opens a new one.',
  hold_outdated: 'Ask for the removal again: the hold then lists the keys of now.',

  // what people do to keys
  nothing_matches: 'Check the glob: it is of local paths, as `keyferry keys list` shows them.',
  revoke_all_unconfirmed: 'Say so with `all: true`, which the command asks for, or name fewer keys.',
  not_revoked: 'See `keyferry keys explain`: there is nothing to lift.',
  key_revoked: 'Lift the revocation first: `keyferry keys unrevoke`.',
  key_expired: 'Renew the secret in the vault, or give it a later expiry there: the next cycle brings the key back.',
  key_not_served: 'See `keyferry keys explain`: it tells why, and what would bring the key back.',
  version_gone: 'See with `keyferry keys history` which versions are kept.',
  version_unreadable: 'Read the current version. rotation_overlap says how long one that was replaced may be read.',
  nothing_to_roll_back: 'See with `keyferry keys history` which version is current.',
  backup_not_found: 'List the backups with `keyferry backups list`.',
  restore_taken: 'Nothing has to be restored. `keyferry keys rollback` serves an earlier value.',

  // reading and writing through Keyferry
  path_unmapped: 'Check the path, and path_mapping and sync_paths of the backend that should have it.',
  path_contested: 'Map the path in one backend alone: give the others another path_mapping or exclude_paths.',
  prefix_too_broad: 'Give a longer prefix: names of proxied vaults are listed in the vault each time.',
  field_not_found: 'Check the name of the field: the value has to be a JSON object that has it.',
  proxied_read_only: 'Write to the vault itself, or let the backend sync this path: its mode is proxy.',
  writes_disabled: 'Set `writes` of the backend to local or write_through, if keys may be written here.',
  precondition_failed: 'Read the key again, and send its ETag of now.',
  write_conflict: 'Read the key again: somebody else wrote it at the same time.',
  request_in_progress: 'Wait a moment, then send the request again: it gets the answer of the first.',
  idempotency_mismatch: 'Use another Idempotency-Key: this one was used for another request.',
  value_not_writable: 'Give a value that the vault can hold: the message says what it takes.',
  vault_not_enabled: 'Register a backend first: `keyferry backend add`.',
  vault_ping_failed: 'Mend the vault or its credentials, or set `required` of the backend to false.',
  conflict_not_found: 'List them with `keyferry conflicts list <backend>`.',

  // configuration
  config_invalid: 'Correct the field that the message names.',
  rule_unmatched: 'Correct the rule’s globs: they are of local paths, as `keyferry keys list` shows them.',
  backend_exists: 'Choose another name, or change the existing backend with `keyferry backend update`.',
  backend_not_found: 'List the backends with `keyferry backend list`.',
  backend_has_keys: 'Say what becomes of its keys: remove it with `--archive-keys`.',
  backend_kind_unknown: 'Use one of the kinds that the message lists.',
  key_not_found: 'List the keys with `keyferry keys list`.',
  credentials_in_use: 'Give those backends other credentials first, or remove them.',
  credentials_cycle:
    'Keep the credentials of a backend in a key that comes from a backend which does not depend on it.',
  credentials_withdrawn:
    'The key that holds the backend’s credentials was revoked, archived or has expired. Give the backend others.',
  credentials_refused:
    'The backend goes on with its former credentials. Mend the new ones where they are kept, then they are tried again.',
  reference_invalid: 'Write `vault.<path>`, `vault.<path>#<field>`, `env.<VAR>`, or the value itself.',
  reference_refused:
    'Add the variable to KEYFERRY_ALLOWED_ENV, the file to KEYFERRY_ALLOWED_FILES, or the cloud to KEYFERRY_ALLOWED_IDENTITIES, in the environment of workers and API.',
  reference_unresolved:
    'Set the variable in the environment of workers and API, put the file where they can read it, or store the key first.',
  duration_invalid: 'Write a whole number and a unit: 300s, 15m, 24h, 90d.',
  glob_invalid: 'Use `*` for one segment, `**` for any number, `?` for one character.',
  mapping_not_invertible:
    'Use the same wildcards, in the same order, on both sides of the rule, and at most one `*` a segment and one `**`.',
  rule_invalid: 'Correct the member of the rule that the message names.',

  egress_refused:
    'Use a public address over https, or have the operator add the host or network to KEYFERRY_ALLOWED_VAULTS (vaults) or KEYFERRY_ALLOWED_EGRESS (notifications) of workers and API.',

  // notifications
  channel_exists: 'Choose another name, or change the existing channel with `keyferry channel update`.',
  channel_not_found: 'List the channels with `keyferry channel list`.',
  channel_in_use: 'Remove those rules first, or give them another channel.',
  rule_exists: 'Choose another name, or change the existing rule with `keyferry rule update`.',
  rule_not_found: 'List the rules with `keyferry rule list`.',
  limit_reached: 'Remove what is not needed any more.',
  delivery_not_found: 'List deliveries with `keyferry deliveries list`.',
  delivery_not_over: 'Wait for its end: what waits is sent by itself.',
  delivery_refused: 'Correct the channel’s address or credentials, or what the receiver accepts.',
  delivery_unavailable: 'Check that the receiver is up and can be reached from the workers.',
  delivery_timeout: 'The receiver has to answer within 10 seconds: let it take messages first and work on them later.',

  // who may do what
  tenant_not_found: 'List the tenants with `keyferry tenant list`.',
  tenant_exists: 'Choose another name for the tenant.',
  tenant_suspended: 'An operator lets it go on: `keyferry tenant resume <name>`.',
  tenant_outdated: 'See its state with `keyferry tenant show <name>`.',
  tenant_protected: 'Suspend or delete another tenant: this one is needed to manage the others.',
  tenant_limit_reached:
    'Remove what is not needed any more, or let an operator raise the limit: `keyferry tenant limit <name>`.',
  identity_not_found: 'List the identities with `keyferry identity list`.',
  identity_exists: 'Choose another name for the identity.',
  token_not_found: 'List the identity’s tokens with `keyferry token list <identity>`.',
  issuer_not_found: 'List the issuers with `keyferry issuer list`.',
  issuer_exists: 'Choose another name for the issuer.',
  issuer_unavailable: 'Check that the issuer is up, that its address is right, and that egress to it is allowed.',
  policy_not_found: 'List the policies with `keyferry policy list`.',
  policy_exists: 'Choose another name for the policy.',
  policy_invalid: 'Correct the field that the message names.',
  policy_too_broad: 'Name the folders that are needed, a policy each.',
  rate_limited: 'Wait as long as Retry-After says.',
  audit_unavailable: 'Check DATABASE_URL and that Postgres runs: nothing is read that the audit log doesn’t have.',
  audit_broken:
    'Somebody altered the audit log: keep the database as it is, and compare it with a backup and the anchors.',
  key_provider_unavailable:
    'Check that the Vault or KMS that holds the master key is up, and that its address and credentials are right.',

  // the services below
  database_unavailable: 'Check DATABASE_URL and that Postgres runs.',
  database_outdated: 'Run `keyferry migrate` with the owner’s connection.',
  database_too_new: 'This Keyferry is older than its database. Upgrade it.',
  database_role_unsafe:
    'Connect as a role that is no superuser and has no BYPASSRLS, or let Keyferry set its own role.',
  redis_unavailable: 'Check REDIS_URL and that Redis or Valkey (6.2 or newer) runs.',
  master_key_missing:
    'Give the master key that the message names, or the one this database was encrypted with: see docs/encryption.md.',
  master_key_mismatch:
    'This is not the master key that the data are encrypted with now. Give that one; nothing was changed.',
  master_key_invalid: 'A master key is 32 bytes in base64. Check the file or the variable, and that it can be read.',
  data_keys_destroyed: 'The tenant was deleted: what was its can’t be read by anyone any more.',
  decryption_failed: 'The stored value was altered or belongs to another key. Restore it from a backup.',
  setup_failed: 'Do what the message says, then start again.',

  // the command line
  api_unavailable: 'Start Keyferry with `npm start` or `keyferry up`, or set KEYFERRY_URL to where it runs.',
  already_running: 'Use the one that runs, or end it first. Another one needs a KEYFERRY_HOME of its own.',
  usage_invalid: 'See the command’s `--help`.',

  // HTTP
  unauthorized: 'Send `Authorization: Bearer <token>`.',
  forbidden: 'Use an identity that may do this, or let an administrator grant it: `keyferry policy check` explains.',
  not_found: 'See /openapi.json for the routes.',
  request_invalid: 'Correct the field that the message names.',
  internal: 'This is a fault of Keyferry. Report it with the request id.',
} as const satisfies Record<string, string>;

export type ErrorCode = keyof typeof errorCatalogue;

export const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(errorCatalogue, code);

export interface ErrorDetails {
  /** Set on failures of a vault; decides on retry. */
  failureClass?: FailureClass;
  /** How long the vault asked to wait, in milliseconds. */
  retryAfterMs?: number;
  /** Further facts without values, shown by the API as `details`. */
  details?: Record<string, unknown>;
}

/**
 * An error made for a person: a code, one sentence that says what happened to which path, and what to do.
 * The message never holds a secret value or a provider's response body.
 */
export class KeyferryError extends Error {
  readonly code: ErrorCode;
  readonly failureClass: FailureClass | undefined;
  readonly retryAfterMs: number | undefined;
  readonly details: Record<string, unknown> | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message);
    this.name = 'KeyferryError';
    this.code = code;
    this.failureClass = details.failureClass;
    this.retryAfterMs = details.retryAfterMs;
    this.details = details.details;
  }

  /** What to do about it. */
  get action(): string {
    return errorCatalogue[this.code];
  }
}

/** A failure of one call to a vault. `what` is a sentence: which operation on which path, and what came of it. */
export function vaultFailure(
  failureClass: FailureClass,
  what: string,
  details: Omit<ErrorDetails, 'failureClass'> & { code?: ErrorCode } = {},
): KeyferryError {
  const { code = `vault_${failureClass}` as const, ...rest } = details;
  return new KeyferryError(code, what, { ...rest, failureClass });
}

/** The class of anything thrown; what nobody classified is a fault of ours or garbage, and never absence. */
export function classOf(error: unknown): FailureClass {
  return (error instanceof KeyferryError && error.failureClass) || 'invalid';
}

/** Classes that may pass by themselves: tried again, and counted as a connection failure when they end a cycle. */
export function isTransient(failureClass: FailureClass): boolean {
  return failureClass === 'throttled' || failureClass === 'unavailable' || failureClass === 'timeout';
}

/** Code and message that may be stored or shown for anything thrown. Unknown errors keep their words to themselves. */
export function describeError(error: unknown): { code: ErrorCode; message: string; failureClass: FailureClass | null } {
  if (error instanceof KeyferryError)
    return { code: error.code, message: error.message, failureClass: error.failureClass ?? null };
  const name = error instanceof Error ? error.name : typeof error;
  return { code: 'internal', message: `An unexpected ${name} stopped the work.`, failureClass: null };
}
