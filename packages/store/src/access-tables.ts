import type { PathPermission, PolicyBinding, Scope } from '@keyferry/core';
import type { ColumnType, Generated, JSONColumnType } from 'kysely';
import type { NullableTimestamp, Timestamp } from './column-types.ts';

/** Tenants, who asks for them, and what they may do. */

export interface TenantsTable {
  id: Generated<string>;
  name: string;
  state: Generated<'active' | 'suspended' | 'deleting' | 'deleted'>;
  max_backends: number | null;
  max_keys: number | null;
  max_open_cycles: number | null;
  state_changed_at: Generated<Date>;
  deletion_requested_by: string | null;
  /** When the last row of a deleted tenant was removed. */
  purged_at: NullableTimestamp;
  created_at: Generated<Date>;
}

/** How many keys a tenant has: the sum of its rows, which the database itself writes. */
export interface KeyCountsTable {
  tenant_id: string;
  keys: number;
}

export interface IdentitiesTable {
  id: Generated<string>;
  tenant_id: string;
  name: string;
  description: string;
  operator: boolean;
  scopes: Scope[];
  state: Generated<'active' | 'disabled' | 'removed'>;
  created_by: string;
  created_at: Timestamp;
  updated_at: Timestamp;
}

export interface TokensTable {
  id: Generated<string>;
  tenant_id: string;
  identity_id: string;
  name: string;
  digest: Buffer;
  shown: string;
  created_by: string;
  created_at: Timestamp;
  expires_at: NullableTimestamp;
  revoked_at: NullableTimestamp;
  last_used_at: NullableTimestamp;
}

/** Claims, and the identity that whoever has them is. */
export interface ClaimMapping {
  claims: Record<string, string>;
  identity_id: string;
}

/** Public keys as RFC 7517 writes them. */
export interface KeySet {
  keys: Record<string, unknown>[];
}

export interface TokenIssuersTable {
  id: Generated<string>;
  tenant_id: string;
  name: string;
  kind: 'oidc' | 'kubernetes';
  issuer: string;
  audiences: string[];
  algorithms: string[];
  jwks_url: string | null;
  jwks: ColumnType<KeySet | null, string | null, string | null>;
  ca_cert: string | null;
  mappings: JSONColumnType<ClaimMapping[]>;
  created_by: string;
  created_at: Timestamp;
  updated_at: Timestamp;
}

export interface PoliciesTable {
  id: Generated<string>;
  tenant_id: string;
  name: string;
  path_glob: string;
  permissions: PathPermission[];
  ip_ranges: string[];
  expires_at: NullableTimestamp;
  bindings: JSONColumnType<PolicyBinding[]>;
  created_by: string;
  created_at: Timestamp;
  updated_at: Timestamp;
}

export interface AccessRevisionsTable {
  tenant_id: string;
  revision: ColumnType<number, number | undefined, number>;
}
