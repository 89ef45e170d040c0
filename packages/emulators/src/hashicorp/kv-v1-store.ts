import { PathTree } from './path-tree.ts';

/** The key-value engine without versions: the newest JSON by path. */
export class KvV1Store {
  readonly version = 1;
  readonly secrets = new PathTree<string>();
}
