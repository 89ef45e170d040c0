import { whoamiAnswer } from '@keyferry/contracts';
import { scopes } from '@keyferry/core';
import { tenantStanding } from '@keyferry/store';
import type { Api, ApiOptions } from '../create-api.ts';
import { responses } from '../responses.ts';

/** Who a credential stands for. */
export function whoamiRoutes(app: Api, { store }: ApiOptions): void {
  app.get(
    '/whoami',
    {
      config: { needs: 'nothing' },
      schema: {
        tags: ['identities'],
        summary: 'Tell who asks, and what they may do with the tenant as a whole',
        response: responses({ 200: whoamiAnswer }),
      },
    },
    async ({ identity }) => {
      const { name } = await store.inTenant(identity.tenantId, tenantStanding);
      return {
        actor: identity.actor,
        identity_id: identity.id,
        tenant: { id: identity.tenantId, name },
        scopes: scopes.filter((scope) => identity.scopes.has(scope)),
        operator: identity.operator,
      };
    },
  );
}
