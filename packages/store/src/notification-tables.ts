import type { ChannelKind, NoticeMessage, NoticeState, NotificationState, Severity } from '@keyferry/core';
import type { Generated } from 'kysely';
import type { Json, NullableTimestamp, Timestamp } from './column-types.ts';

/** Who is told of what, and by which ways. */

export interface ChannelsTable {
  id: string;
  tenant_id: string;
  name: string;
  kind: ChannelKind;
  config: Json<Record<string, unknown>>;
  secret: Buffer;
  secret_key_id: string;
  state: Generated<NotificationState>;
  failures: Generated<number>;
  retry_at: NullableTimestamp;
  last_delivered_at: NullableTimestamp;
  last_failed_at: NullableTimestamp;
  last_error_code: string | null;
  last_error_message: string | null;
  created_at: Timestamp;
  updated_at: Timestamp;
}

export interface NotificationRulesTable {
  id: Generated<string>;
  tenant_id: string;
  name: string;
  channel_id: string;
  event_types: string[];
  backend_ids: string[];
  paths: string[];
  min_severity: Severity;
  state: Generated<NotificationState>;
  from_position: number;
  created_at: Timestamp;
  updated_at: Timestamp;
}

export interface NoticesTable {
  id: Generated<string>;
  tenant_id: string;
  rule_id: string;
  rule_name: string;
  channel_id: string;
  channel_name: string;
  group_key: string;
  state: Generated<NoticeState>;
  message: Json<NoticeMessage>;
  ready_at: Timestamp;
  attempts: Generated<number>;
  refusals: Generated<number>;
  next_attempt_at: NullableTimestamp;
  give_up_at: NullableTimestamp;
  claimed_until: NullableTimestamp;
  last_error_code: string | null;
  last_error_message: string | null;
  created_at: Timestamp;
  delivered_at: NullableTimestamp;
  ended_at: NullableTimestamp;
}
