import { parseMapping } from '@keyferry/core';
import { type Backend, credentialUpstream, listBackends, type SecretOwner, type Tx } from '@keyferry/store';
import { type FederatedBackend, federate, placesAmong } from '../place.ts';

/** Where the secrets of a backend or a channel are kept. */
export interface Keeper {
  backend: Backend;
  /** The local path of one of them. */
  pathOf(member: string): string;
}

/**
 * The vault that keeps the plaintext secrets of their owner: the first registered one that Keyferry may write to, that has a
 * place for them, and that doesn't live by what comes from their owner. Null where there is none, and they stay as they are.
 */
export async function findKeeper(tx: Tx, { kind, id }: SecretOwner): Promise<Keeper | null> {
  const federated = federate(await listBackends(tx));
  const candidates = federated
    .filter(({ backend }) => backend.id !== id && takesCredentials(backend))
    .sort((one, other) => one.backend.created_at.getTime() - other.backend.created_at.getTime());
  for (const { backend } of candidates) {
    const { toLocal } = parseMapping(backend.path_mapping);
    // Names of some vaults have no underscores.
    const pathOf = (member: string) => toLocal(`${backend.prefix}/${kind}s/${id}/${member.replaceAll('_', '-')}`);
    if (!leadsTo(federated, backend, pathOf('member'))) continue;
    if ((await credentialUpstream(tx, backend.id)).includes(id)) continue;
    return { backend, pathOf };
  }
  return null;
}

const takesCredentials = ({ state, mode, access_mode, writes }: Backend) =>
  state === 'active' && mode === 'sync' && access_mode === 'read_and_write' && writes === 'write_through';

/** What is contested is nobody's. */
function leadsTo(federated: readonly FederatedBackend[], backend: Backend, path: string): boolean {
  const [place, another] = placesAmong(federated, path);
  return another === undefined && place?.backend.id === backend.id && place.mode === 'sync';
}
