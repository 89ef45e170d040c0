import { hash, randomUUID } from 'node:crypto';
import { compileGrants, type Grants, type Policy, policiesFor, type Subject } from '@keyferry/core';
import { inRanges } from '@keyferry/egress';
import { keepAtMost } from './kept.ts';

/** What policies grant to subjects, compiled once for each set of policies: of all tenants together, in bounded memory. */
export interface CompiledGrants {
  /** What these policies grant to whom; null where none of them applies. */
  among(policies: readonly Policy[]): (subject: Subject) => Grants | null;
}

/** Subjects of which it is kept which policies apply to them. */
const mostSubjects = 50_000;
/** Policies in all sets that are kept: a few KiB each. */
const mostPolicies = 100_000;

export function compiledGrants(): CompiledGrants {
  const sets = keepAtMost<string>(mostSubjects);
  const compiled = keepAtMost<Grants>(mostPolicies);
  return {
    among(policies) {
      const version = randomUUID();
      const keyOf = (...parts: unknown[]) => `${version}.${hash('sha256', JSON.stringify(parts), 'base64')}`;

      return (subject) => {
        const { identityId, issuerId, claims } = subject;
        // Most subjects are identities with tokens of ours: their ids are short enough.
        const who = issuerId === null ? `${version}.${identityId}` : keyOf(identityId, issuerId, claims);
        const known = sets.get(who);
        if (known === none) return null;
        const kept = known === undefined ? undefined : compiled.get(known);
        if (kept) return kept;
        const applying = policiesFor(policies, subject);
        const set = applying.length === 0 ? none : keyOf(applying.map(({ id }) => id));
        sets.set(who, set);
        if (set === none) return null;
        const grants = compiled.get(set) ?? compileGrants(applying, inRanges);
        compiled.set(set, grants, applying.length);
        return grants;
      };
    },
  };
}

/** In place of a set without policies. */
const none = '';
