export type Capability = 'read' | 'list' | 'create' | 'update' | 'delete' | 'patch' | 'sudo' | 'deny' | 'scan';

/** Capabilities by path pattern: an exact path, `*` at the end for any rest, `+` for one segment. */
export type PolicyRules = Record<string, readonly Capability[]>;

/** What every token may do, by the policy named default. */
export const defaultPolicy: PolicyRules = {
  'auth/token/lookup-self': ['read'],
  'auth/token/renew-self': ['update'],
  'auth/token/revoke-self': ['update'],
  'sys/wrapping/wrap': ['update'],
  'sys/wrapping/unwrap': ['update'],
};

interface Rule {
  /** Without the final `*`. */
  pattern: string;
  prefix: boolean;
  segments: string[] | null;
  capabilities: Set<Capability>;
}

/** The rules of a token's policies together. The most specific rule for a path decides alone, and deny wins in it. */
export class AccessList {
  readonly #exact = new Map<string, Rule>();
  readonly #patterns: Rule[];

  constructor(policies: readonly PolicyRules[]) {
    const rules = new Map<string, Rule>();
    for (const policy of policies) {
      for (const [path, capabilities] of Object.entries(policy)) {
        const rule = rules.get(path) ?? toRule(path);
        for (const capability of capabilities) rule.capabilities.add(capability);
        rules.set(path, rule);
      }
    }
    this.#patterns = [];
    for (const rule of rules.values()) {
      if (!rule.prefix && rule.segments === null) this.#exact.set(rule.pattern, rule);
      else this.#patterns.push(rule);
    }
    this.#patterns.sort(byPriority);
  }

  /** Whether a capability is granted for a path. Listings are also granted by the rule for the path without its slash. */
  allows(capability: Capability, path: string): boolean {
    const listing = (capability === 'list' || capability === 'scan') && path.endsWith('/');
    const bare = listing ? path.slice(0, -1) : null;
    const rule =
      this.#exact.get(path) ??
      (bare === null ? undefined : this.#exact.get(bare)) ??
      this.#patterns.find((candidate) => matches(candidate, path)) ??
      (bare === null ? undefined : this.#patterns.find((candidate) => matches(candidate, bare)));
    return rule !== undefined && !rule.capabilities.has('deny') && rule.capabilities.has(capability);
  }

  /** Whether anything at or below a mount is granted. */
  reaches(mount: string): boolean {
    for (const rule of [...this.#exact.values(), ...this.#patterns]) {
      if (!rule.capabilities.has('deny') && rule.capabilities.size > 0 && touches(rule, mount)) return true;
    }
    return false;
  }
}

function toRule(path: string): Rule {
  const prefix = path.endsWith('*');
  const pattern = prefix ? path.slice(0, -1) : path;
  const segments = pattern.split('/');
  return { pattern, prefix, segments: segments.includes('+') ? segments : null, capabilities: new Set() };
}

/** First wildcard further right, then no `*`, then fewer `+`, then longer: the order that Vault documents. */
function byPriority(a: Rule, b: Rule): number {
  return (
    firstWildcard(b) - firstWildcard(a) ||
    Number(a.prefix) - Number(b.prefix) ||
    plusCount(a) - plusCount(b) ||
    b.pattern.length - a.pattern.length
  );
}

function firstWildcard(rule: Rule): number {
  return rule.segments === null ? rule.pattern.length : rule.pattern.indexOf('+');
}

function plusCount(rule: Rule): number {
  return rule.segments?.filter((segment) => segment === '+').length ?? 0;
}

function matches(rule: Rule, path: string): boolean {
  if (rule.segments === null) return path.startsWith(rule.pattern);
  const parts = path.split('/');
  const last = rule.segments.length - 1;
  if (parts.length < rule.segments.length || (!rule.prefix && parts.length !== rule.segments.length)) return false;
  return rule.segments.every(
    (segment, index) =>
      segment === '+' ||
      segment === parts[index] ||
      (rule.prefix && index === last && parts[index]?.startsWith(segment) === true),
  );
}

function touches(rule: Rule, mount: string): boolean {
  if (rule.segments === null) return rule.pattern.startsWith(mount) || (rule.prefix && mount.startsWith(rule.pattern));
  const wanted = mount.slice(0, -1).split('/');
  return wanted.every((part, index) => {
    const segment = rule.segments?.[index];
    if (segment === undefined) return rule.prefix;
    return segment === '+' || segment === part || (rule.prefix && part.startsWith(segment));
  });
}
