import type { NoticeEvents, NoticeMessage } from '@keyferry/core';

/** What is sent on a channel, whatever its kind. */
export interface Message {
  /** Stays the same however often it is sent. */
  id: string;
  type: 'keyferry.notice' | 'keyferry.test';
  /** When it was complete. */
  timestamp: Date;
  title: string;
  lines: string[];
  data: Record<string, unknown>;
}

export interface ToldNotice {
  id: string;
  rule_id: string;
  rule_name: string;
  ready_at: Date;
  message: NoticeMessage;
}

export function noticeMessage({ id, rule_id, rule_name, ready_at, message }: ToldNotice): Message {
  const { severity, backend, cycle_id, first_at, last_at, events } = message;
  return {
    id,
    type: 'keyferry.notice',
    timestamp: ready_at,
    title: plain(`${severity}: ${backend}: ${noticeSummary(message)}`),
    lines: [
      ...events.flatMap(linesOf),
      '',
      first_at === last_at ? `At ${first_at}.` : `From ${first_at} to ${last_at}.`,
      ...(cycle_id === null ? [] : [`See: keyferry cycles show ${cycle_id}`]),
      `Told by the rule ${rule_name}.`,
    ].map(plain),
    data: { id, rule_id, rule: rule_name, ...message },
  };
}

export function testMessage(id: string, channel: string, at: Date): Message {
  return {
    id,
    type: 'keyferry.test',
    timestamp: at,
    title: plain(`test of the channel ${channel}`),
    lines: [plain(`A person asked Keyferry to try the channel ${channel}. It works.`)],
    data: { id, channel },
  };
}

/** `keys.deprecated 1200, deprecation.held`, gravest first. */
export function noticeSummary({ events }: NoticeMessage): string {
  const named = events.slice(0, 3).map(({ type, keys }) => (keys > 0 ? `${type} ${keys}` : type));
  return events.length > named.length
    ? `${named.join(', ')} and ${events.length - named.length} more`
    : named.join(', ');
}

function linesOf({ type, severity, keys, paths, notes }: NoticeEvents): string[] {
  const more = keys > paths.length && paths.length > 0 ? [`  and ${keys - paths.length} more`] : [];
  const count = keys > 0 ? `: ${keys} ${keys === 1 ? 'key' : 'keys'}` : '';
  return [
    `${type} (${severity})${count}`,
    ...paths.map((path) => `  ${path}`),
    ...more,
    ...notes.map((note) => `  ${note}`),
    ...(severity === 'info' ? [] : [`  Runbook: docs/runbooks/${type}.md`]),
  ];
}

/** In one line, and in the order in which it is read: what is invisible or moves other text is spelled out. */
function plain(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}
