import { federationProblem, KeyferryError } from '@keyferry/core';
import type { Backend, BackendSettings } from '@keyferry/store';
import type { VaultDefinition } from '@keyferry/vaults';

/** What of a backend's settings decides whether a change of them can work. */
export type Federated = Pick<
  Backend,
  'mode' | 'sync_paths' | 'exclude_paths' | 'path_mapping' | 'access_mode' | 'writes'
>;

/**
 * A change of a backend's settings with its remote patterns as they are stored: by what they mean inside the container, however
 * they were written. `former` is what there is beside it, and `config` the vault's own settings as they would be.
 * Throws `config_invalid` for settings that can't work together.
 */
export function federatedSettings<Change extends Partial<BackendSettings>>(
  { capabilities, withinContainer }: VaultDefinition,
  { former, config, change }: { former: Federated; config: Record<string, unknown>; change: Change },
): Change {
  const inside = (pattern: string) => withinContainer?.(config, pattern) ?? pattern;
  const { sync_paths, exclude_paths, path_mapping } = change;
  const settings = {
    ...change,
    ...(sync_paths && { sync_paths: sync_paths.map((path) => stillAllBelow(path, inside(path))) }),
    ...(exclude_paths && { exclude_paths: exclude_paths.map(inside) }),
    ...(path_mapping && { path_mapping: path_mapping.map((rule) => ({ ...rule, to: inside(rule.to) })) }),
  };
  const problem = federationProblem({ ...former, ...settings }, capabilities);
  if (problem)
    throw new KeyferryError('config_invalid', `${problem.field}: ${problem.message}`, {
      details: { field: problem.field, problems: [problem] },
    });
  return settings;
}

/** In sync_paths a trailing star is one segment where it stands alone, and everything below in any other place. */
const stillAllBelow = (given: string, inside: string) => (inside === '*' && given !== '*' ? '**' : inside);
