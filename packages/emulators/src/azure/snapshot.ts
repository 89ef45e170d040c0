import type { TestCertificate } from './certificate.ts';
import type { Identity } from './identities.ts';
import type { Secret } from './secrets.ts';
import type { AzureState } from './state.ts';

/** All that outlives the process. */
export interface Snapshot {
  tenantId: string;
  identityHeader: string;
  signingPem: string;
  controlToken: string;
  clientId: string;
  clientSecret: string;
  /** What clients were told to trust, and where: it has to stay so. */
  authority: TestCertificate & { port: number };
  identities: [string, Identity][];
  secrets: Secret[];
}

export function snapshotOf(
  state: AzureState,
  rest: Pick<Snapshot, 'controlToken' | 'clientId' | 'clientSecret' | 'authority'>,
): Snapshot {
  const { tenantId, identityHeader, signingPem } = state;
  const identities = [...state.identities];
  return { tenantId, identityHeader, signingPem, identities, secrets: state.secrets.snapshot(), ...rest };
}

/** Puts a saved state into an emulator that has none. */
export function restoreState(state: AzureState, snapshot: Snapshot): void {
  const { tenantId, identityHeader, signingPem } = snapshot;
  Object.assign(state, { tenantId, identityHeader, signingPem });
  for (const [clientId, identity] of snapshot.identities) state.identities.set(clientId, identity);
  state.secrets.restore(snapshot.secrets);
}
