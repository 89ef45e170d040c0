import { KeyferryError } from '@keyferry/core';

/**
 * Replaces `env.<VAR>` by the variable's value in every string of the settings' `auth`. Every other string is the value
 * itself. The environment is the operator's and the settings are a tenant's, so only variables of the allowlist can be
 * named: exact names, or names ending in `*` for any rest.
 *
 * Throws `reference_invalid`, `reference_refused`, or `reference_unresolved` for a variable that is unset or empty.
 */
export function resolveReferences(
  auth: unknown,
  environment: NodeJS.ProcessEnv,
  allowlist: readonly string[],
): unknown {
  if (typeof auth === 'string') return resolve(auth, environment, allowlist);
  if (Array.isArray(auth)) return auth.map((item) => resolveReferences(item, environment, allowlist));
  if (typeof auth !== 'object' || auth === null) return auth;
  return Object.fromEntries(
    Object.entries(auth).map(([name, value]) => [name, resolveReferences(value, environment, allowlist)]),
  );
}

const prefix = 'env.';

function resolve(text: string, environment: NodeJS.ProcessEnv, allowlist: readonly string[]): string {
  if (!text.startsWith(prefix)) return text;
  const name = text.slice(prefix.length);
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
    throw new KeyferryError('reference_invalid', 'A credential begins with "env." but names no variable.');
  if (!allowlist.some((allowed) => allows(allowed, name)))
    throw new KeyferryError('reference_refused', `The operator does not allow the variable ${name} to be referred to.`);
  const value = environment[name];
  if (!value) throw new KeyferryError('reference_unresolved', `The variable ${name} is not set, or empty.`);
  return value;
}

function allows(allowed: string, name: string): boolean {
  return allowed.endsWith('*') ? name.startsWith(allowed.slice(0, -1)) : allowed === name;
}
