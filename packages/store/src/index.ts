export * from './access-revision.ts';
export type { ClaimMapping, KeySet } from './access-tables.ts';
export { anchorAudit, tenantsToAnchor } from './audit/anchor-audit.ts';
export * from './audit/audit.ts';
export { type AuditWriter, createAuditWriter, type RequestEntry } from './audit/audit-writer.ts';
export { type AuditFilter, type AuditPlace, type AuditRow, listAudit, readAudit } from './audit/list-audit.ts';
export { type RequestContext, requestContext } from './audit/request-context.ts';
export { auditRetention, pruneAudit, setAuditRetention, tenantsWithAuditToPrune } from './audit/retention.ts';
export { sealAudit, tenantsWithUnsealedAudit } from './audit/seal-audit.ts';
export { type Verified, verifyAudit } from './audit/verify-audit.ts';
export type { Anchor } from './audit/walk-chain.ts';
export * from './backends.ts';
export * from './backups.ts';
export * from './changes.ts';
export * from './channels.ts';
export * from './close-cycle.ts';
export * from './collect-notices.ts';
export * from './conflicts.ts';
export * from './credential-keys.ts';
export * from './cycles.ts';
export { asStoreError, defaultTenantId, openStore, type Store, type StoreOptions, type Tx } from './database.ts';
export * from './deliveries.ts';
export * from './delivery-log.ts';
export * from './due-keys.ts';
export { channelBinding, valueBinding } from './encryption/bindings.ts';
export { destroyDataKeys, type RotatedDataKey, rotateDataKey } from './encryption/data-keys.ts';
export {
  countTenantsToRewrap,
  type DataKeyStatus,
  dataKeyStatuses,
  type MasterKeyStatus,
  masterKeyStatuses,
} from './encryption/encryption-status.ts';
export { createKeyring, type KeyManager, type Keyring } from './encryption/keyring.ts';
export { loadMasterKey } from './encryption/master-key.ts';
export type { MasterKeyProvider } from './encryption/master-key-provider.ts';
export type { MasterKeys } from './encryption/master-keys.ts';
export { type RewrapProgress, type RewrapSummary, rewrap } from './encryption/rewrap.ts';
export type { TenantKeys } from './encryption/tenant-keys.ts';
export * from './failures.ts';
export * from './findings.ts';
export * from './forget-deleted-tenants.ts';
export { remoteHash } from './hash.ts';
export * from './heal-intents.ts';
export * from './holds.ts';
export { isId } from './id-or-name.ts';
export * from './idempotent-requests.ts';
export {
  createIdentity,
  getIdentity,
  type IdentityChange,
  type IdentityRow,
  identitiesById,
  listIdentities,
  removeIdentity,
  updateIdentity,
} from './identities.ts';
export * from './issues.ts';
export * from './key-changes.ts';
export * from './key-events.ts';
export * from './key-versions.ts';
export * from './keys.ts';
export * from './known-keys.ts';
export * from './local-values.ts';
export { migrate, pendingMigrations } from './migrate.ts';
export * from './move-keys.ts';
export * from './note-probe.ts';
export * from './notification-rules.ts';
export * from './outbox.ts';
export * from './owned-keys.ts';
export * from './policies.ts';
export * from './policy-subjects.ts';
export { notePurged, purgeTenantRows, tenantsToPurge } from './purge-tenant.ts';
export * from './put-key.ts';
export * from './read-secrets.ts';
export * from './reconcile.ts';
export * from './removal.ts';
export * from './removal-facts.ts';
export * from './remove-backend.ts';
export * from './renames.ts';
export type { ShardRef } from './schema.ts';
export * from './select-keys.ts';
export * from './shards.ts';
export * from './sweep.ts';
export * from './tenant-access.ts';
export * from './tenant-deletion.ts';
export {
  keysOfTenant,
  refuseKeyBeyondLimit,
  roomForKeys,
  sumKeyCounts,
  type TenantStanding,
  tenantStanding,
} from './tenant-standing.ts';
export {
  type ByOperator,
  countsOfTenant,
  createTenant,
  findTenant,
  getTenant,
  listTenants,
  operatorsName,
  ownNameOfOperator,
  resumeTenant,
  suspendTenant,
  type Tenant,
  type TenantCounts,
  type TenantLimits,
  unknownTenant,
  updateTenant,
} from './tenants.ts';
export * from './token-issuers.ts';
export * from './tokens.ts';
export * from './wait.ts';
export * from './write-intents.ts';
export * from './write-keys.ts';
