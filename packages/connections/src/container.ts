import { vaultFailure } from '@keyferry/core';
import type { Backend } from '@keyferry/store';
import type { Probe } from '@keyferry/vaults';

/** A backend with what its container was called when it was last seen. */
type Contained = Pick<Backend, 'name' | 'container_id'>;

/**
 * Refuses a vault that calls its container by another name than before: another account's, project's or mount's secrets
 * are none of this backend's, and what they lack is not gone. Throws `container_changed`.
 */
export function refuseOtherContainer(backend: Contained, { containerId }: Probe): void {
  const { container_id: known } = backend;
  if (known === null || containerId === null || known === containerId) return;
  throw vaultFailure(
    'invalid',
    `The vault of "${backend.name}" answers for another container than before: "${containerId}", and not "${known}".`,
    { code: 'container_changed' },
  );
}

/** Whether a probe shows that the backend's own container is there, so that absence from it means something. */
export function provesContainer(
  { container_id: known }: Pick<Contained, 'container_id'>,
  { container, containerId }: Probe,
): boolean {
  return container === 'present' && (known === null || containerId === known);
}
