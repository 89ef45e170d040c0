import { hash, timingSafeEqual } from 'node:crypto';
import { KeyferryError } from '@keyferry/core';
import { defaultTenantId } from '@keyferry/store';
import type { FastifyRequest } from 'fastify';

/** Reading values is a permission of its own, and so is taking keys out of use, and letting them back. */
export type Permission = 'read' | 'write' | 'values' | 'revoke';

/** Who asks, and for which tenant. */
export interface Identity {
  tenantId: string;
  /** As the audit log names them. */
  actor: string;
  permissions: ReadonlySet<Permission>;
}

declare module 'fastify' {
  interface FastifyRequest {
    identity: Identity;
  }
  interface FastifyContextConfig {
    /** What the route asks for, where it isn't what its method tells. */
    permission?: Permission;
  }
}

export interface Tokens {
  /** Opens everything, but for revoking where there is a token for that. */
  token: string;
  /** Opens revoking, its opposite, and reading all but values. */
  revokeToken?: string | undefined;
}

/**
 * A hook that refuses requests without a token that is known, or whose token lacks the permission the route asks for. Digests
 * are compared, so that the time tells nothing, length included.
 */
export function requireToken({ token, revokeToken }: Tokens) {
  const holders = [
    {
      expected: digest(token),
      identity: holderOf('api-token', ['read', 'write', 'values', ...(revokeToken ? [] : revoke)]),
    },
    ...(revokeToken
      ? [{ expected: digest(revokeToken), identity: holderOf('revoke-token', ['read', ...revoke]) }]
      : []),
  ];
  return async (request: FastifyRequest): Promise<void> => {
    const given = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
    const found = given === undefined ? null : digest(given);
    const [holder] = found ? holders.filter(({ expected }) => timingSafeEqual(found, expected)) : [];
    if (!holder) throw new KeyferryError('unauthorized', 'The request has no valid bearer token.');
    request.identity = holder.identity;
    const wanted = permissionFor(request);
    if (!request.is404 && !holder.identity.permissions.has(wanted))
      throw new KeyferryError('forbidden', `The token may not do this: it lacks the permission "${wanted}".`, {
        details: { permission: wanted },
      });
  };
}

const revoke: Permission[] = ['revoke'];

/** There is one tenant: the only place that knows so. */
const holderOf = (actor: string, permissions: Permission[]): Identity => ({
  tenantId: defaultTenantId,
  actor,
  permissions: new Set(permissions),
});

function permissionFor({ method, routeOptions }: FastifyRequest): Permission {
  return routeOptions.config.permission ?? (method === 'GET' || method === 'HEAD' ? 'read' : 'write');
}

const digest = (text: string) => hash('sha256', text, 'buffer');
