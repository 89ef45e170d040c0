import { listBackends, type Tx } from '@keyferry/store';

/** Names of the tenant's backends by id, removed ones too. */
export type BackendNames = (backendId: string) => string;

export async function backendNames(tx: Tx): Promise<BackendNames> {
  const names = new Map((await listBackends(tx, { removedToo: true })).map(({ id, name }) => [id, name]));
  return (backendId) => names.get(backendId) ?? backendId;
}
