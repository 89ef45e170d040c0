import type { DeliveryAnswer, DeliveryDetail } from '@keyferry/contracts';
import { noticeSummary } from '@keyferry/events';
import type { Notice } from '@keyferry/store';
import { showError } from './channel.ts';

export function showDelivery(notice: Notice): DeliveryAnswer {
  const { message } = notice;
  return {
    id: notice.id,
    state: notice.state,
    rule_id: notice.rule_id,
    rule: notice.rule_name,
    channel_id: notice.channel_id,
    channel: notice.channel_name,
    severity: message.severity,
    backend: message.backend,
    cycle_id: message.cycle_id,
    summary: noticeSummary(message),
    attempts: notice.attempts,
    error: showError(notice),
    created_at: notice.created_at.toISOString(),
    ready_at: notice.ready_at.toISOString(),
    next_attempt_at: notice.next_attempt_at?.toISOString() ?? null,
    delivered_at: notice.delivered_at?.toISOString() ?? null,
  };
}

export function showDeliveryDetail(notice: Notice): DeliveryDetail {
  return { ...showDelivery(notice), message: notice.message };
}
