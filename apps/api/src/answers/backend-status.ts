import type { BackendStatus } from '@keyferry/contracts';
import type { KeyState } from '@keyferry/core';
import type { Backend, Cycle, Hold } from '@keyferry/store';
import { liveState, nextSync } from './backend.ts';

export interface BackendFacts {
  backend: Backend;
  keys: Record<KeyState, number>;
  lastCompleted: Cycle | undefined;
  lastFailed: Cycle | undefined;
  openHold: Hold | undefined;
}

export function showStatus(facts: BackendFacts): BackendStatus {
  const { backend, keys, lastCompleted, lastFailed, openHold } = facts;
  return {
    id: backend.id,
    name: backend.name,
    state: liveState(backend),
    status: statusOf(facts),
    last_sync: lastCompleted?.closed_at?.toISOString() ?? null,
    last_sync_duration_ms: lastCompleted?.closed_at
      ? lastCompleted.closed_at.getTime() - lastCompleted.opened_at.getTime()
      : null,
    next_sync: nextSync(backend),
    keys,
    secrets_synced: keys.active + keys.deprecated,
    connection: {
      status: connectionOf(backend),
      latency_ms: backend.latency_ms,
      server: backend.server,
      unreachable_since: backend.unreachable_since?.toISOString() ?? null,
    },
    last_error: backend.failed_cycles > 0 && lastFailed ? errorOf(lastFailed) : null,
    open_hold: openHold
      ? {
          id: openHold.id,
          candidates: openHold.candidates,
          keys: openHold.keys,
          opened_at: openHold.opened_at.toISOString(),
        }
      : null,
  };
}

function statusOf({ backend, lastCompleted, openHold }: BackendFacts): BackendStatus['status'] {
  if (backend.state === 'paused') return 'paused';
  if (backend.unreachable_since) return 'unreachable';
  if (!lastCompleted && !backend.last_success_at) return 'never_synced';
  const troubled = backend.failed_cycles > 0 || openHold !== undefined || (lastCompleted?.issues ?? 0) > 0;
  return troubled ? 'degraded' : 'healthy';
}

function connectionOf(backend: Backend): BackendStatus['connection']['status'] {
  if (backend.connection_failures > 0 || backend.unreachable_since) return 'disconnected';
  return backend.last_success_at ? 'connected' : 'unknown';
}

function errorOf(cycle: Cycle): BackendStatus['last_error'] {
  return {
    cycle_id: cycle.id,
    class: cycle.error_class,
    code: cycle.error_code ?? 'internal',
    message: cycle.error_message ?? '',
    at: (cycle.closed_at ?? cycle.opened_at).toISOString(),
  };
}
