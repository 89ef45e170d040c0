import { readFile } from 'node:fs/promises';
import { KeyferryError, type MasterKeyPlace } from '@keyferry/core';
import { parseMasterKey } from './local-master-key.ts';
import type { MasterKeyProvider } from './master-key-provider.ts';
import { openTransitMasterKey } from './transit-master-key.ts';

/**
 * The master key of this place; null where none is named, or its file isn't there. `variable` is the one that names it in
 * what is said of a key that is none.
 */
export async function openMasterKey(place: MasterKeyPlace, variable: string): Promise<MasterKeyProvider | null> {
  if (place.transit) return openTransitMasterKey(place.transit, `${variable}_TRANSIT`);
  if (place.kms) {
    // Its SDK is loaded only where it is used.
    const { openKmsMasterKey } = await import('./kms-master-key.ts');
    return await openKmsMasterKey(place.kms);
  }
  if (place.text) return parseMasterKey(place.text, variable);
  if (!place.file) return null;
  try {
    return parseMasterKey(await readFile(place.file, 'utf8'), place.file);
  } catch (error) {
    if (error instanceof KeyferryError) throw error;
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new KeyferryError('master_key_invalid', `The master key file ${place.file} can't be read.`);
  }
}
