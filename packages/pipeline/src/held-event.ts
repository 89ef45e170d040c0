import type { Backend, NewEvent } from '@keyferry/store';

/** That so many keys would go that a person has to say so. */
export function heldEvent(
  backend: Pick<Backend, 'id' | 'name' | 'kind'>,
  hold: { holdId: string; cycleId: string | null; candidates: number; keys: number },
): NewEvent {
  return {
    type: 'deprecation.held',
    data: {
      backend_id: backend.id,
      backend: backend.name,
      kind: backend.kind,
      cycle_id: hold.cycleId,
      hold_id: hold.holdId,
      candidates: hold.candidates,
      keys: hold.keys,
    },
  };
}
