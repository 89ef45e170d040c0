import type { ChannelAnswer } from '@keyferry/contracts';
import type { Channel } from '@keyferry/store';

export function showChannel(channel: Channel): ChannelAnswer {
  return {
    id: channel.id,
    name: channel.name,
    kind: channel.kind,
    state: channel.state,
    config: channel.config,
    failures: channel.failures,
    retry_at: channel.retry_at?.toISOString() ?? null,
    last_delivered_at: channel.last_delivered_at?.toISOString() ?? null,
    last_failed_at: channel.last_failed_at?.toISOString() ?? null,
    last_error: showError(channel),
    created_at: channel.created_at.toISOString(),
    updated_at: channel.updated_at.toISOString(),
  };
}

export function showError(row: { last_error_code: string | null; last_error_message: string | null }) {
  return row.last_error_code === null ? null : { code: row.last_error_code, message: row.last_error_message ?? '' };
}
