import type { Store, TenantKeys, Tx } from '@keyferry/store';
import type { Everything } from '../../support/one-of-everything.ts';

/** What a function of the store is tried with: it works for one tenant, and is given what another has. */
export interface Try {
  /** A transaction of the tenant that tries. */
  tx: Tx;
  /** For functions that open transactions by themselves: they are given this as the tenant that they are for. */
  store: Store;
  mine: { tenantId: string; keys: TenantKeys };
  /** All that the other tenant has. */
  theirs: Everything;
  /** Where a function takes a tenant beside its transaction: once the one that tries, once the other. */
  tenantId: string;
  now: Date;
}

export type Case = (given: Try) => unknown;
