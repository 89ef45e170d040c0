import { createHash, timingSafeEqual } from 'node:crypto';
import { KeyferryError } from '@keyferry/core';
import { defaultTenantId } from '@keyferry/store';
import type { FastifyRequest } from 'fastify';

/** Who asks, and for which tenant. */
export interface Identity {
  tenantId: string;
  /** As the audit log names them. */
  actor: string;
}

declare module 'fastify' {
  interface FastifyRequest {
    identity: Identity;
  }
}

/** One token opens everything, for the one tenant there is: the only place that knows so. */
const holder: Identity = { tenantId: defaultTenantId, actor: 'api-token' };

/** A hook that refuses requests without the token. Digests are compared, so that the time tells nothing, length included. */
export function requireToken(token: string) {
  const expected = digest(token);
  return async (request: FastifyRequest): Promise<void> => {
    const given = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
    if (given === undefined || !timingSafeEqual(digest(given), expected))
      throw new KeyferryError('unauthorized', 'The request has no valid bearer token.');
    request.identity = holder;
  };
}

const digest = (text: string) => createHash('sha256').update(text, 'utf8').digest();
