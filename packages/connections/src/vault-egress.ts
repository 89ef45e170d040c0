import { assertDestination, type EgressPolicy, egressConnector, egressLookup, type Resolve } from '@keyferry/egress';
import type { VaultEgress } from '@keyferry/vaults';

/** The operator's policy as vaults' code asks it. */
export function vaultEgress(policy: EgressPolicy, resolve: Resolve | undefined): VaultEgress {
  return {
    connector: (socket) => egressConnector({ policy, resolve }, socket),
    assert: (destination) => assertDestination(policy, destination),
    lookup: (plain) => egressLookup(policy, plain, resolve),
  };
}
