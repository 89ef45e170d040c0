import { classOf } from '@keyferry/core';
import type { Presence } from '../contract.ts';
import type { ContainerInspector } from './container.ts';
import { presenceOf, type SecretReader } from './read.ts';

/**
 * What two direct reads prove: the secret isn't there, or its newest version is destroyed. A secret without any version
 * is there, as it is while somebody makes it: it was never given what could have been taken away.
 */
export async function confirmPresence(
  reader: SecretReader,
  container: ContainerInspector,
  path: string,
  signal: AbortSignal,
): Promise<Presence> {
  try {
    await reader.secret('confirm', path, signal);
  } catch (error) {
    if (classOf(error) !== 'not_found') throw error;
    await container.prove(signal);
    return 'absent';
  }
  try {
    return presenceOf((await reader.newest('confirm', path, signal)).state);
  } catch (error) {
    const failureClass = classOf(error);
    // Whoever may not look at versions has seen the secret all the same.
    if (failureClass === 'not_found' || failureClass === 'forbidden') return 'present';
    throw error;
  }
}
