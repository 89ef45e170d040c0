import type { ChannelAnswer, ChannelMade, DeliveryAnswer, DeliveryDetail, RuleAnswer } from '@keyferry/contracts';
import { relative } from '../output/format.ts';
import type { Output } from '../output/output.ts';
import { printable } from '../output/printable.ts';
import { type Cell, facts, table } from '../output/table.ts';

export function channelTable(output: Output, channels: readonly ChannelAnswer[]): string {
  const now = new Date();
  return table(
    output,
    ['NAME', 'KIND', 'STATE', 'TO', 'LAST DELIVERED', 'FAILURES', 'LAST ERROR'],
    channels.map((channel) => [
      channel.name,
      channel.kind,
      channel.state,
      String(channel.config.address ?? channel.config.to ?? ''),
      relative(channel.last_delivered_at, now),
      channel.failures,
      channel.last_error?.code ?? null,
    ]),
  );
}

export function channelFacts(output: Output, channel: ChannelMade): string {
  const now = new Date();
  const config = Object.entries(channel.config).map(([name, value]): [string, Cell] => [
    name.replaceAll('_', ' '),
    // A certificate's first line would say no more than that it is one.
    name === 'ca_cert' && value !== null ? 'given' : value === null ? null : String(value),
  ]);
  return facts(output, [
    ['name', channel.name],
    ['id', channel.id],
    ['kind', channel.kind],
    ['state', channel.state],
    ...config,
    ['last delivered', relative(channel.last_delivered_at, now)],
    ['last failed', relative(channel.last_failed_at, now)],
    ['last error', channel.last_error && errorText(channel.last_error)],
    ['failures in a row', channel.failures],
    ['tried again', relative(channel.retry_at, now)],
    ...(channel.signing_secret ? [['signing secret, shown this once', channel.signing_secret] as const] : []),
  ]);
}

export function ruleTable(output: Output, rules: readonly RuleAnswer[]): string {
  const list = (items: readonly string[]) => (items.length > 0 ? items.join(' ') : 'all');
  return table(
    output,
    ['NAME', 'CHANNEL', 'STATE', 'SEVERITY', 'EVENTS', 'BACKENDS', 'PATHS'],
    rules.map((rule) => [
      rule.name,
      rule.channel,
      rule.state,
      rule.min_severity === 'info' ? 'all' : `${rule.min_severity} and graver`,
      list(rule.event_types),
      list(rule.backends),
      list(rule.paths),
    ]),
  );
}

export function deliveryTable(output: Output, deliveries: readonly DeliveryAnswer[]): string {
  const now = new Date();
  return table(
    output,
    ['DELIVERY', 'CHANNEL', 'RULE', 'STATE', 'SINCE', 'ATTEMPTS', 'BACKEND', 'WHAT', 'ERROR'],
    deliveries.map((delivery) => [
      delivery.id,
      delivery.channel,
      delivery.rule,
      delivery.state,
      relative(delivery.created_at, now),
      delivery.attempts,
      delivery.backend,
      delivery.summary,
      delivery.error?.code ?? null,
    ]),
  );
}

export function deliveryFacts(output: Output, delivery: DeliveryDetail): string {
  const now = new Date();
  const told = delivery.message.events.flatMap(({ type, severity, keys, paths, notes }) => [
    `${type} (${severity})${keys > 0 ? `, ${keys} keys` : ''}`,
    ...[...paths, ...notes].map((line) => `  ${printable(line)}`),
  ]);
  const lines = facts(output, [
    ['id', delivery.id],
    ['state', delivery.state],
    ['channel', delivery.channel],
    ['rule', delivery.rule],
    ['severity', delivery.severity],
    ['backend', delivery.backend],
    ['cycle', delivery.cycle_id],
    ['attempts', delivery.attempts],
    ['next attempt', relative(delivery.next_attempt_at, now)],
    ['delivered', relative(delivery.delivered_at, now)],
    ['last error', delivery.error && errorText(delivery.error)],
  ]);
  return [lines, '', ...told].join('\n');
}

const errorText = ({ code, message }: { code: string; message: string }) => `${message} (${code})`;
