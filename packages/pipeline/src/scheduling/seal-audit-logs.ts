import { forEachDespiteErrors } from '@keyferry/core';
import {
  type Anchor,
  anchorAudit,
  pruneAudit,
  type Store,
  sealAudit,
  tenantsToAnchor,
  tenantsWithAuditToPrune,
  tenantsWithUnsealedAudit,
} from '@keyferry/store';

interface SealServices {
  store: Store;
  now: () => Date;
}

/** Puts what the audit logs have had since into their chains. Any number of these may run. Returns how many batches it were. */
export async function sealAuditLogs({ store, now }: SealServices): Promise<number> {
  let sealed = 0;
  await forEachDespiteErrors(await tenantsWithUnsealedAudit(store), async (tenantId) => {
    let more: boolean;
    do {
      const done = await store.inTenant(tenantId, (tx) => sealAudit(tx, tenantId, now()));
      sealed += done.sealed;
      more = done.more;
    } while (more);
  });
  return sealed;
}

/** An anchor as it is kept outside. */
export interface KeptAnchor extends Anchor {
  tenant_id: string;
  at: string;
}

/** Tells the heads of chains outside, each at most once an hour: as events, and to `keep`. */
export async function anchorAuditLogs(
  { store, now }: SealServices,
  keep: (anchor: KeptAnchor) => Promise<void>,
): Promise<void> {
  await forEachDespiteErrors(await tenantsToAnchor(store, now()), async (tenantId) => {
    const at = now();
    await store.inTenant(tenantId, (tx) =>
      anchorAudit(tx, tenantId, at, (anchor) => keep({ tenant_id: tenantId, ...anchor, at: at.toISOString() })),
    );
  });
}

/** Removes what is older than tenants keep, also of those that rest or are deleted. */
export async function pruneAuditLogs({ store, now }: SealServices): Promise<void> {
  await forEachDespiteErrors(await tenantsWithAuditToPrune(store), async (tenantId) => {
    let more: boolean;
    do {
      ({ more } = await pruneAudit(store, tenantId, now()));
    } while (more);
  });
}
