import { backendNames as namesById, type Tx } from '@keyferry/store';

/** A backend's name, also of a removed one. */
export type BackendNames = (backendId: string) => string;

export async function backendNames(tx: Tx): Promise<BackendNames> {
  const names = await namesById(tx);
  return (backendId) => names.get(backendId) ?? backendId;
}
