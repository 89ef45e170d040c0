import type { FailureClass } from '@keyferry/core';
import type { CallOperation } from '@keyferry/vaults';

/** Attempts of a connection by operation and by how they ended. */
export type CallStatistics = Partial<Record<CallOperation, Partial<Record<FailureClass | 'ok', number>>>>;

export function addTo(statistics: CallStatistics, operation: CallOperation, ending: FailureClass | 'ok'): void {
  const endings = statistics[operation] ?? {};
  statistics[operation] = endings;
  endings[ending] = (endings[ending] ?? 0) + 1;
}
