import { createGlobTrie } from './glob-trie.ts';
import { comesFrom, compileGrants, grantedBy, hasExpired, type InRange } from './grants.ts';
import type { PathPermission } from './permission.ts';
import type { Circumstances, Policy } from './policy.ts';
import { isBound, isTooBroad, policiesFor, type Subject } from './policy-subject.ts';

/** Why a policy doesn't grant something, in the order in which a person would mend it. */
export const missReasons = ['expired', 'address', 'too_broad', 'permission', 'not_bound', 'path'] as const;

export type MissReason = (typeof missReasons)[number];

export interface NearMiss {
  policy: Policy;
  reasons: MissReason[];
}

/** The policy that grants it, or else those that come nearest, the nearest first. */
export interface GrantExplanation {
  policy: Policy | null;
  misses: NearMiss[];
}

/** Nobody reads more. */
const mostMisses = 20;

/** Tells why something is granted, or why not. For a person who asks: it looks at each policy. */
export function explainGrant(
  policies: readonly Policy[],
  asked: { subject: Subject; permission: PathPermission; path: string; circumstances: Circumstances },
  inRange: InRange,
): GrantExplanation {
  const { subject, permission, path, circumstances } = asked;
  const policy = compileGrants(policiesFor(policies, subject), inRange).find(permission, path, circumstances);
  if (policy) return { policy, misses: [] };
  const onPath = policiesOn(policies, path);
  const misses = policies.map((missed) => ({ policy: missed, reasons: reasonsFor(missed, onPath, asked, inRange) }));
  return { policy: null, misses: misses.filter(isNear).sort(nearestFirst).slice(0, mostMisses) };
}

function policiesOn(policies: readonly Policy[], path: string): Set<Policy> {
  const trie = createGlobTrie<Policy[]>();
  for (const policy of policies) trie.at(policy.pathGlob, () => []).push(policy);
  return new Set(trie.matching(path).flat());
}

function reasonsFor(
  policy: Policy,
  onPath: ReadonlySet<Policy>,
  { subject, permission, circumstances }: Parameters<typeof explainGrant>[1],
  inRange: InRange,
): MissReason[] {
  const given: Record<MissReason, boolean> = {
    expired: hasExpired(policy, circumstances.now),
    address: !comesFrom(policy, circumstances.address, inRange),
    too_broad: isTooBroad(policy, subject),
    permission: !grantedBy(policy).includes(permission),
    not_bound: !isBound(policy, subject),
    path: !onPath.has(policy),
  };
  return missReasons.filter((reason) => given[reason]);
}

/** What is for others and for other paths has nothing to do with the question. */
const isNear = ({ reasons }: NearMiss): boolean => !(reasons.includes('not_bound') && reasons.includes('path'));

function nearestFirst(one: NearMiss, other: NearMiss): number {
  const rank = ({ reasons }: NearMiss) => reasons.length * 10 + missReasons.indexOf(reasons.at(-1) ?? 'path');
  return rank(one) - rank(other) || (one.policy.name < other.policy.name ? -1 : 1);
}
