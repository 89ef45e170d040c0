import { createGlobTrie } from './glob-trie.ts';
import { type PathPermission, pathPermissions } from './permission.ts';
import type { Circumstances, Grants, Policy } from './policy.ts';

/** Whether an address is one of these, or in one of these networks. */
export type InRange = (address: string, ranges: readonly string[]) => boolean;

/** Policies that grant the same on the same paths: under one condition on the address, the one that lasts longest. */
type Choices = Map<PathPermission, Map<string, Policy>>;

/**
 * Several policies as one: what asking costs depends on the path, and not on how many they are. Whom they are for has been
 * decided: `policiesFor`. Conditions are looked at only on what matches.
 */
export function compileGrants(policies: readonly Policy[], inRange: InRange): Grants {
  const trie = createGlobTrie<Choices>();
  const anywhere: Choices = new Map();
  for (const policy of policies) {
    const at = trie.at(policy.pathGlob, () => new Map());
    for (const permission of grantedBy(policy)) {
      add(at, permission, policy);
      add(anywhere, permission, policy);
    }
  }
  const holding = (choices: Choices, permission: PathPermission, circumstances: Circumstances): Policy | null => {
    for (const policy of choices.get(permission)?.values() ?? [])
      if (holds(policy, circumstances, inRange)) return policy;
    return null;
  };
  const ends = policies.flatMap(({ expiresAt }) => expiresAt?.getTime() ?? []).sort((one, other) => one - other);
  return {
    find(permission, path, circumstances) {
      for (const choices of trie.matching(path)) {
        const policy = holding(choices, permission, circumstances);
        if (policy) return policy;
      }
      return null;
    },
    anywhere: (permission, circumstances) => holding(anywhere, permission, circumstances) !== null,
    ended(now) {
      const first = ends.findIndex((end) => end > now.getTime());
      return first === -1 ? ends.length : first;
    },
  };
}

/** `admin` is all of them. */
export const grantedBy = ({ permissions }: Pick<Policy, 'permissions'>): readonly PathPermission[] =>
  permissions.includes('admin') ? pathPermissions : permissions;

export const hasExpired = ({ expiresAt }: Policy, now: Date): boolean => expiresAt !== null && expiresAt <= now;

/** An address that nobody knows is in no network. */
export const comesFrom = ({ ipRanges }: Policy, address: string | null, inRange: InRange): boolean =>
  ipRanges.length === 0 || (address !== null && inRange(address, ipRanges));

const holds = (policy: Policy, { address, now }: Circumstances, inRange: InRange): boolean =>
  !hasExpired(policy, now) && comesFrom(policy, address, inRange);

function add(choices: Choices, permission: PathPermission, policy: Policy): void {
  const byRanges = choices.get(permission) ?? new Map<string, Policy>();
  choices.set(permission, byRanges);
  const ranges = [...policy.ipRanges].sort().join(' ');
  const known = byRanges.get(ranges);
  if (known === undefined || endOf(policy) > endOf(known)) byRanges.set(ranges, policy);
}

const endOf = ({ expiresAt }: Policy): number => expiresAt?.getTime() ?? Number.POSITIVE_INFINITY;
