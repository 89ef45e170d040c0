import type { IdentityAnswer } from '@keyferry/contracts';
import type { IdentityRow } from '@keyferry/store';

export function showIdentity(identity: IdentityRow): IdentityAnswer {
  return {
    id: identity.id,
    name: identity.name,
    description: identity.description,
    scopes: identity.scopes,
    operator: identity.operator,
    state: identity.state === 'active' ? 'active' : 'disabled',
    created_by: identity.created_by,
    created_at: identity.created_at.toISOString(),
    updated_at: identity.updated_at.toISOString(),
  };
}
