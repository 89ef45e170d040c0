import { type AccessMode, type FederationSettings, parseFederation, type WriteMode } from './federation.ts';

/** Which setting can't work beside the others, and what to do about it. */
export interface SettingProblem {
  field: string;
  message: string;
}

/** What of a backend's settings can't work with a vault that can do so much, or null. */
export function federationProblem(
  settings: FederationSettings & { access_mode: AccessMode; writes: WriteMode },
  capabilities: { write: boolean },
): SettingProblem | null {
  const { access_mode, writes } = settings;
  const writesThrough = writes === 'write_through';
  const problem = (message: string) => ({ field: 'writes', message });
  if (writesThrough && !capabilities.write)
    return problem('vaults of this kind can’t be written to: set it to disabled or local.');
  if (writesThrough && access_mode === 'read_only')
    return problem(
      'write_through writes to the vault: set access_mode to read_and_write, or writes to disabled or local.',
    );
  if (writes !== 'disabled' && !parseFederation(settings).has('sync'))
    return problem('everything is in mode proxy, which takes no writes: set it to disabled.');
  return null;
}
