import type { PolicyAnswer, PolicyChecked } from '@keyferry/contracts';
import type { Output } from '../output/output.ts';
import { printable } from '../output/printable.ts';
import { facts, table } from '../output/table.ts';

export function policyTable(output: Output, policies: readonly PolicyAnswer[]): string {
  return table(
    output,
    ['NAME', 'PATHS', 'PERMISSIONS', 'FOR', 'FROM', 'UNTIL'],
    policies.map((policy) => [
      policy.name,
      policy.path_glob,
      policy.permissions.join(' '),
      policy.bindings.map(bindingText).join(', '),
      policy.ip_ranges.join(' ') || 'anywhere',
      policy.expires_at,
    ]),
  );
}

export function policyFacts(output: Output, policy: PolicyAnswer): string {
  return facts(output, [
    ['name', policy.name],
    ['id', policy.id],
    ['paths', policy.path_glob],
    ['permissions', policy.permissions.join(' ')],
    ...policy.bindings.map((binding) => ['for', bindingText(binding)] as const),
    ['from', policy.ip_ranges.join(' ') || 'anywhere'],
    ['until', policy.expires_at],
    ['made by', policy.created_by],
    ['made', policy.created_at],
    ['changed', policy.updated_at],
  ]);
}

function bindingText(binding: PolicyAnswer['bindings'][number]): string {
  if ('identity_id' in binding) return binding.identity ?? `${binding.identity_id} (removed)`;
  const claims = Object.entries(binding.claims).map(([name, value]) => `${name}=${value}`);
  return `${binding.issuer ?? `${binding.issuer_id} (removed)`}: ${claims.join(' ')}`;
}

interface Question {
  identity: string;
  permission: string;
  path: string;
}

/** In a sentence, and where the answer is no, one for each policy that comes near. */
export function explainCheck({ identity, permission, path }: Question, checked: PolicyChecked): string {
  const what = `${permission} "${printable(path)}"`;
  const who = `"${printable(identity)}"`;
  if (checked.granted && checked.scope) return `${who} may ${what}: the scope ${checked.scope} shows all names.`;
  if (checked.granted) return `${who} may ${what}: the policy "${printable(checked.policy?.name ?? '')}" grants it.`;
  if (checked.identity?.state === 'disabled') return `${who} may not ${what}: the identity is disabled.`;
  const misses = checked.misses.map((miss) => `  The policy "${printable(miss.name)}" ${missText(miss, what)}.`);
  return [`${who} may not ${what}: no policy grants it.`, ...misses].join('\n');
}

type Miss = PolicyChecked['misses'][number];

function missText(miss: Miss, what: string): string {
  const words = miss.reasons.map((reason) => reasonText(reason, miss));
  const last = words.at(-1) ?? '';
  const all = words.length > 1 ? `${words.slice(0, -1).join(', ')} and ${last}` : last;
  return `doesn’t let them ${what}: it ${all}`;
}

function reasonText(reason: Miss['reasons'][number], miss: Miss): string {
  switch (reason) {
    case 'expired':
      return `ended at ${miss.expires_at}`;
    case 'address':
      return `is for requests from ${miss.ip_ranges.join(' or ')}`;
    case 'too_broad':
      return `is of all paths (${miss.path_glob}), which counts only with the scope settings`;
    case 'permission':
      return `grants ${miss.permissions.join(', ')}`;
    case 'not_bound':
      return 'is for others';
    case 'path':
      return `is of ${printable(miss.path_glob)}`;
  }
}
