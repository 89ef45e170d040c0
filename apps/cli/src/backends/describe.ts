import type { BackendAnswer, BackendStatus } from '@keyferry/contracts';
import { duration, relative } from '../output/format.ts';
import type { Output } from '../output/output.ts';
import { type Cell, facts, table } from '../output/table.ts';

const nameOfStatus = (status: BackendStatus) => status.status.replaceAll('_', ' ');

export function backendTable(output: Output, backends: readonly (BackendAnswer & { status: BackendStatus })[]): string {
  const now = new Date();
  return table(
    output,
    ['NAME', 'KIND', 'STATUS', 'KEYS', 'LAST SYNC', 'NEXT SYNC', 'LAST ERROR'],
    backends.map(({ name, kind, status }) => [
      name,
      kind,
      nameOfStatus(status),
      status.secrets_synced,
      relative(status.last_sync, now),
      relative(status.next_sync, now),
      status.last_error?.code ?? null,
    ]),
  );
}

export function backendFacts(output: Output, backend: BackendAnswer, status?: BackendStatus): string {
  const config = Object.entries(backend.config).map(([name, value]): [string, Cell] => [
    name,
    // A certificate's first line would say no more than that it is one.
    typeof value === 'object' ? Object.keys(value ?? {}).join(', ') : String(value),
  ]);
  return facts(output, [
    ['name', backend.name],
    ['id', backend.id],
    ['kind', backend.kind],
    ...config,
    ['sync paths', backend.sync_paths.join(', ')],
    ['exclude paths', backend.exclude_paths.join(', ')],
    ['path mapping', backend.path_mapping.map(mappingLine).join(', ')],
    ['mode', backend.mode],
    ['access', backend.access_mode.replaceAll('_', ' ')],
    ['writes', backend.writes.replaceAll('_', ' ')],
    ['conflicts', backend.conflict_policy.replaceAll('_', ' ')],
    ['required', backend.required ? 'yes' : 'no'],
    ['cache', `ttl ${backend.cache_ttl}, max stale ${backend.max_stale}`],
    ['interval', backend.sync_interval],
    ['auto deprecate', backend.auto_deprecate ? 'yes' : 'no'],
    ['backup', backend.backup_deprecated_keys ? 'yes' : 'no'],
    ['grace period', backend.grace_period],
    ['retain archived', backend.retain_archived],
    ['rotation overlap', backend.rotation_overlap],
    ['archive reminders', backend.archive_reminders.join(', ')],
    ['expiry reminders', backend.expiry_reminders.join(', ')],
    ['lifecycle rules', backend.lifecycle_rules.map(ruleLine).join('; ')],
    ['validation rules', backend.validation_rules.length],
    ['guard', `over ${backend.guard_percent}% and at least ${backend.guard_at_least}, or over half`],
    ['max versions', backend.max_versions],
    ['version history', backend.version_history ? 'yes' : 'no'],
    ['state', backend.state],
    ...(status ? statusFacts(status) : []),
  ]);
}

const mappingLine = ({ from, to, mode }: BackendAnswer['path_mapping'][number]) =>
  `${from} = ${to}${mode ? ` (${mode})` : ''}`;

/** `team/**: grace period 1h, rotate every 90d` */
function ruleLine({ paths, ...periods }: BackendAnswer['lifecycle_rules'][number]): string {
  const named = Object.entries(periods).map(([name, text]) => `${name.replaceAll('_', ' ')} ${text}`);
  return `${paths.join(', ')}: ${named.join(', ')}`;
}

function statusFacts(status: BackendStatus): [string, Cell][] {
  const now = new Date();
  const { connection, last_error: error, open_hold: hold } = status;
  const keys = Object.entries(status.keys).filter(([, number]) => number > 0);
  return [
    ['status', nameOfStatus(status)],
    ['keys', keys.map(([state, number]) => `${number} ${state}`).join(', ')],
    ['last sync', relative(status.last_sync, now)],
    ['took', status.last_sync_duration_ms === null ? null : duration(status.last_sync_duration_ms)],
    ['next sync', relative(status.next_sync, now)],
    ['server', connection.server],
    ['connection', connection.status],
    ['latency', connection.latency_ms === null ? null : `${connection.latency_ms} ms`],
    ['last error', error && `${error.message} (${error.code})`],
    ['held', hold && `${hold.candidates} of ${hold.keys} keys would go: keyferry held approve ${hold.id}`],
  ];
}
