import type { PathTree } from './path-tree.ts';
import type { VaultRequest } from './request.ts';

/** Names that a LIST or SCAN of a folder shows. Only OpenBao knows `after` and `limit`; Vault ignores them. */
export function listNames(
  tree: PathTree<unknown>,
  request: VaultRequest,
  folder: string,
  openbao: boolean,
): readonly string[] {
  if (request.operation === 'scan') return tree.scan(folder);
  const names = tree.list(folder);
  if (!openbao) return names;
  const after = request.query.get('after') ?? '';
  const limit = Number(request.query.get('limit') ?? 0);
  const rest = after === '' ? names : names.filter((name) => name > after);
  return limit > 0 ? rest.slice(0, limit) : rest;
}
