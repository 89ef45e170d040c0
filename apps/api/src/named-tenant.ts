import { tenantHeader } from '@keyferry/contracts';
import { KeyferryError, type Scope } from '@keyferry/core';
import { type Directory, type Identity, noGrants } from '@keyferry/identity';
import { defaultTenantId, findTenant, operatorsName, type Store, type Tenant, unknownTenant } from '@keyferry/store';
import type { FastifyRequest } from 'fastify';
import type { NeededHere } from './authentication.ts';

/**
 * Who asks, as of the tenant that the request names. An operator may name any, and has their scopes there and no permission
 * on paths: values stay the tenant's. Whoever else names another tenant than their own is told what they are told of one that
 * there isn't, and what is looked at is their own tenant alone. Throws `tenant_not_found` or `tenant_suspended`.
 */
export async function inNamedTenant(
  { store, directory }: { store: Store; directory: Pick<Directory, 'accessOf'> },
  identity: Identity,
  request: Pick<FastifyRequest, 'headers'>,
  needs: NeededHere,
): Promise<Identity> {
  const named = request.headers[tenantHeader];
  if (named === undefined) return identity;
  if (typeof named !== 'string') throw unknownTenant(named.join(', '));
  if (!identity.operator) return await ofOwnTenant(directory, identity, named);
  const tenant = await findTenant(store, named);
  if (!tenant) throw unknownTenant(named);
  if (tenant.id === identity.tenantId) return identity;
  refuseAtRest(tenant, needs);
  return { ...identity, tenantId: tenant.id, id: null, actor: actorIn(identity, tenant.id), grants: noGrants };
}

/** How an operator is named in the log of a tenant that they have named, by the header or in another way. */
export const actorIn = ({ tenantId, actor }: Identity, named: string): string =>
  named === tenantId || tenantId !== defaultTenantId ? actor : operatorsName(actor);

async function ofOwnTenant(
  directory: Pick<Directory, 'accessOf'>,
  identity: Identity,
  named: string,
): Promise<Identity> {
  const own = await directory.accessOf(identity.tenantId);
  if (named !== identity.tenantId && named !== own?.tenant.name) throw new ForeignTenant(named);
  return identity;
}

/** What names another tenant than one's own is answered as what names none, and told as a refusal. */
export class ForeignTenant extends KeyferryError {
  constructor(named: string) {
    super('tenant_not_found', unknownTenant(named).message);
  }
}

/** What operators may do in the name of a tenant that rests: look, and change who and what there is. */
const whileSuspended: readonly (Scope | 'operator')[] = ['federation:read', 'settings', 'audit:read', 'operator'];
/** Of one that is deleted only what was done is left. */
const afterDeletion: readonly (Scope | 'operator')[] = ['audit:read', 'operator'];

function refuseAtRest({ id, name, state }: Pick<Tenant, 'id' | 'name' | 'state'>, needs: NeededHere): void {
  const scope = 'scope' in needs ? needs.scope : null;
  const may = (scopes: typeof whileSuspended) => scope !== null && scopes.includes(scope);
  switch (state) {
    case 'active':
      return;
    case 'suspended':
    case 'deleting':
      if (may(whileSuspended)) return;
      throw new KeyferryError('tenant_suspended', `The tenant "${name}" is ${state}: nothing is begun for it.`, {
        details: { state },
      });
    case 'deleted':
      if (may(afterDeletion)) return;
      throw unknownTenant(id);
  }
}
