import type { StoredEvent } from '@keyferry/store';

/** A CloudEvents 1.0 envelope in its JSON format. `sequence` counts up without gaps within a backend. */
export interface CloudEvent {
  specversion: '1.0';
  id: string;
  source: string;
  /** The backend's name. */
  subject: string;
  type: string;
  time: string;
  datacontenttype: 'application/json';
  tenantid: string;
  sequence: string;
  data: Record<string, unknown>;
}

export function toCloudEvent(event: StoredEvent): CloudEvent {
  return {
    specversion: '1.0',
    id: event.id,
    source: `/keyferry/backends/${event.backend_id}`,
    subject: String(event.data.backend),
    type: event.type,
    time: event.occurred_at.toISOString(),
    datacontenttype: 'application/json',
    tenantid: event.tenant_id,
    sequence: String(event.seq),
    data: event.data,
  };
}
