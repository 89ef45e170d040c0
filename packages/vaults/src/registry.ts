import { KeyferryError } from '@keyferry/core';
import { aws } from './aws/index.ts';
import { azure } from './azure/index.ts';
import type { VaultDefinition } from './contract.ts';
import { gcp } from './gcp/index.ts';
import { hashicorp } from './hashicorp/index.ts';

/** Every vault Keyferry speaks to: one line each. */
export const builtInVaults = [hashicorp, aws, gcp, azure] as const;

export type VaultRegistry = readonly VaultDefinition[];

/** The definition of a kind, or `backend_kind_unknown` with the kinds there are. */
export function vaultOfKind(registry: VaultRegistry, kind: string): VaultDefinition {
  const definition = registry.find((candidate) => candidate.kind === kind);
  if (definition) return definition;
  const kinds = registry.map((candidate) => candidate.kind).join(', ');
  throw new KeyferryError('backend_kind_unknown', `There is no vault of kind "${kind}". Kinds: ${kinds}.`);
}
