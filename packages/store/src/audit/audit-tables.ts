import type { Generated } from 'kysely';
import type { Json, NullableTimestamp, Timestamp } from '../column-types.ts';
import type { AuditOutcome } from './audit.ts';

export interface AuditBatchesTable {
  tenant_id: string;
  id: Generated<number>;
  rows: number;
  at: Timestamp;
  last_at: Timestamp;
  number: number | null;
  digest: Buffer | null;
  hash: Buffer | null;
  sealed_at: NullableTimestamp;
}

export interface AuditLogTable {
  tenant_id: string;
  batch: number;
  place: number;
  at: Timestamp;
  actor: string;
  action: string;
  target: string;
  outcome: AuditOutcome;
  request_id: string | null;
  address: string | null;
  details: Json<object>;
}

export interface AuditChainsTable {
  tenant_id: string;
  pruned_number: Generated<number>;
  pruned_hash: Generated<Buffer>;
  head_number: Generated<number>;
  head_hash: Generated<Buffer>;
  anchored_number: Generated<number>;
  anchored_at: NullableTimestamp;
  retention_seconds: Generated<number>;
}
