import { KeyferryError } from './errors.ts';
import { fillGlob, type Glob, parseGlob } from './glob.ts';
import { normalizePath } from './path.ts';

export const federationModes = ['proxy', 'sync'] as const;
/** Whether reads go through to the vault, and nothing is stored, or are answered from the store. */
export type FederationMode = (typeof federationModes)[number];

/** One rule of path_mapping: a local pattern and the remote pattern it stands for. */
export interface MappingRule {
  from: string;
  to: string;
  /** Of what it maps; left out, that of the backend. */
  mode?: FederationMode;
}

export interface PathMapping {
  /** The local path of a remote name. Without rules, and where none matches, the name itself. */
  toLocal(remote: string): string;
  /** The remote name of a local path. */
  toRemote(local: string): string;
  /** The first rule whose `from` a local path matches. */
  ruleFor(local: string): MappingRule | undefined;
}

/** Ordered rules, the first match wins, in both directions. One that can't be inverted is `mapping_not_invertible`. */
export function parseMapping(rules: readonly MappingRule[]): PathMapping {
  const parsed = rules.map((rule) => {
    const from = parseGlob(rule.from);
    const to = parseGlob(rule.to);
    if (from.wildcards.join() !== to.wildcards.join())
      throw new KeyferryError(
        'mapping_not_invertible',
        `The rule from "${rule.from}" to "${rule.to}" can't be inverted: its sides have different wildcards.`,
      );
    if (between(rule.from) !== between(rule.to) && (isAmbiguous(rule.from) || isAmbiguous(rule.to)))
      throw new KeyferryError(
        'mapping_not_invertible',
        `The rule from "${rule.from}" to "${rule.to}" can't be inverted: a path may match one side in more than one way.`,
      );
    return { rule, from, to };
  });
  const translate = (path: string, source: 'from' | 'to', target: 'from' | 'to'): string => {
    for (const rule of parsed) {
      const captures = (rule[source] as Glob).capture(path);
      if (captures) return fillGlob(rule[target].source, captures);
    }
    return path;
  };
  return {
    toLocal: (remote) => normalizePath(translate(normalizePath(remote), 'to', 'from')),
    toRemote: (local) => translate(local, 'from', 'to'),
    ruleFor: (local) => parsed.find(({ from }) => from.test(local))?.rule,
  };
}

/** From the first wildcard to the last: where both sides have the same, they cut a path in the same places. */
function between(glob: string): string {
  return /[*?].*[*?]|[*?]/s.exec(glob)?.[0] ?? '';
}

/** Whether a path may match in more than one way: "a-b-c" does "*-*". Two paths could then be mapped to one. */
function isAmbiguous(glob: string): boolean {
  const segments = glob.split('/');
  return (
    segments.filter((segment) => segment === '**').length > 1 ||
    segments.some((segment) => segment !== '**' && segment.split('*').length > 2)
  );
}
