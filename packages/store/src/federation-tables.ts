import type { JSONColumnType } from 'kysely';
import type { Json, NullableTimestamp, Timestamp } from './column-types.ts';

/** What reading and writing through Keyferry keeps. */

export interface ConflictsTable {
  key_id: string;
  tenant_id: string;
  backend_id: string;
  kind: 'changed' | 'removed';
  remote_digest: Buffer;
  remote_version: string | null;
  remote_created_at: NullableTimestamp;
  remote_metadata: Json<Record<string, string>>;
  detected_at: Timestamp;
  seen_at: Timestamp;
  resolution: 'local' | 'remote' | null;
  resolved_by: string | null;
  resolved_at: NullableTimestamp;
}

export interface WriteIntentsTable {
  backend_id: string;
  remote_hash: Buffer;
  tenant_id: string;
  id: string;
  kind: 'put' | 'remove';
  remote_path: string;
  local_path: string;
  value_digest: Buffer;
  creates: boolean;
  owned_for: string | null;
  claimed_until: Timestamp;
  created_at: Timestamp;
}

export interface IdempotentRequestsTable {
  tenant_id: string;
  actor: string;
  key_hash: Buffer;
  request_digest: Buffer;
  status: number | null;
  answer: JSONColumnType<object | null>;
  claimed_until: Timestamp;
  created_at: Timestamp;
}
