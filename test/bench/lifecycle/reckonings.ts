import type { BackendSettings } from '@keyferry/store';
import { defaultTenantId, updateBackend } from '@keyferry/store';
import type { BenchSite } from '../bench-site.ts';
import type { Figure } from '../report.ts';
import { graceSeconds, type ManyKeys } from './million.ts';
import { expectSwept, seconds, timeOf } from './timing.ts';

/** How long it takes until all keys of one backend have their times anew, after a person has changed its settings. */
export async function reckonings(
  name: string,
  site: BenchSite,
  keys: ManyKeys,
  log: (line: string) => void,
): Promise<Figure[]> {
  const measure = async (figure: string, settings: Partial<BackendSettings>): Promise<Figure> => {
    await change(site, keys, settings);
    const milliseconds = await timeOf(() => expectSwept(site, {}));
    log(`  ${figure}: ${seconds(milliseconds)} s`);
    return { name: `${name}.${figure}.seconds`, value: milliseconds / 1000, unit: 's', bound: null };
  };
  return [
    await measure('reckon_on_their_way', { grace_period_seconds: 2 * graceSeconds, lifecycle_rules: [] }),
    await measure('reckon_all', { lifecycle_rules: [{ paths: ['**'], rotate_every_seconds: 180 * 24 * 3600 }] }),
  ];
}

async function change({ services, keyring }: BenchSite, { backends }: ManyKeys, settings: Partial<BackendSettings>) {
  const keys = await keyring.ofTenant(defaultTenantId);
  const [id = ''] = backends;
  await services.store.inTenant(defaultTenantId, (tx) =>
    updateBackend(tx, { tenantId: defaultTenantId, id, settings, keys, now: services.now() }),
  );
}
