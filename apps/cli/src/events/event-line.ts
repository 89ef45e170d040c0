import { countsText, duration, plural } from '../output/format.ts';
import { printable } from '../output/printable.ts';
import type { FederationEvent } from './follow-events.ts';

/** How many paths a line names. */
const mostPaths = 3;

/** An event in one line: `12:03:04  team  keys.rotated  bifrost/openai/production` */
export function eventLine(event: FederationEvent): string {
  const time = new Date(event.time).toTimeString().slice(0, 8);
  return `${time}  ${printable(event.subject)}  ${event.type}  ${printable(summary(event))}`.trimEnd();
}

function summary(event: FederationEvent): string {
  switch (event.type) {
    case 'federation.sync.completed': {
      const { counts, duration_ms, issues } = event.data;
      return `${countsText(counts)}${issues > 0 ? `, ${plural(issues, 'issue')}` : ''} (${duration(duration_ms)})`;
    }
    case 'federation.sync.failed':
      return `${event.data.error?.message ?? ''} (${event.data.error?.code ?? 'internal'})`;
    case 'federation.backend.unreachable':
      return `${event.data.message} (${event.data.code})`;
    case 'federation.backend.recovered':
      return `after ${duration(new Date(event.time).getTime() - new Date(event.data.unreachable_since).getTime())}`;
    case 'deprecation.held': {
      const { candidates, keys, hold_id } = event.data;
      return `${candidates} of ${keys} keys would go: keyferry held approve ${hold_id}`;
    }
    case 'deprecation.settled':
      return `${event.data.state}${event.data.actor === null ? '' : ` by ${event.data.actor}`}: ${event.data.hold_id}`;
    default:
      // A newer server may tell of what this command doesn't know.
      return 'paths' in event.data ? someOf(event.data.paths) : '';
  }
}

function someOf(paths: readonly string[]): string {
  const more = paths.length - mostPaths;
  return `${paths.slice(0, mostPaths).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
