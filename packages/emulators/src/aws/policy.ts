/** A statement of an identity's policy. `*` stands for any rest and `?` for one character, as in IAM. */
export interface Statement {
  /** `Allow` by default. */
  effect?: 'Allow' | 'Deny';
  /** Such as `secretsmanager:GetSecretValue`. */
  actions: readonly string[];
  /** ARNs. Everything by default. */
  resources?: readonly string[];
}

export type Decision = 'allowed' | 'denied' | 'not allowed';

/** What an identity may do; nothing unless a statement allows it, and nothing that a statement denies. */
export class Policy {
  readonly statements: readonly Statement[];
  readonly #compiled: { effect: 'Allow' | 'Deny'; actions: RegExp[]; resources: RegExp[] }[];

  constructor(statements: readonly Statement[]) {
    this.statements = statements;
    this.#compiled = statements.map(({ effect = 'Allow', actions, resources = ['*'] }) => ({
      effect,
      // Case counts in resources alone.
      actions: actions.map((action) => toPattern(action, 'i')),
      resources: resources.map((resource) => toPattern(resource, '')),
    }));
  }

  decide(action: string, resource: string): Decision {
    let allowed = false;
    for (const { effect, actions, resources } of this.#compiled) {
      if (!actions.some((pattern) => pattern.test(action))) continue;
      if (!resources.some((pattern) => pattern.test(resource))) continue;
      if (effect === 'Deny') return 'denied';
      allowed = true;
    }
    return allowed ? 'allowed' : 'not allowed';
  }
}

function toPattern(glob: string, flags: string): RegExp {
  const escaped = glob
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${escaped}$`, `${flags}s`);
}
