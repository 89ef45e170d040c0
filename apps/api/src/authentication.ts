import { KeyferryError, type PathPermission, type Scope } from '@keyferry/core';
import {
  type Authenticator,
  type Directory,
  forbiddenAnywhere,
  forbiddenPath,
  forbiddenScope,
  type Identity,
  mayAnywhere,
  mayOn,
  RefusedAtRest,
} from '@keyferry/identity';
import type { Store } from '@keyferry/store';
import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify';
import { inNamedTenant } from './named-tenant.ts';
import { pathOf } from './routes/key-path.ts';

/**
 * What a route asks of who calls it: a scope or two, a permission on the path in its address, one on each of the paths that the
 * route comes to by itself, or nothing but to be known.
 */
type Needs =
  | 'nothing'
  | { scope: Scope | 'operator'; and?: Scope }
  | { onPath: PathPermission }
  | { onEach: PathPermission };

/** The same where nothing is an object without members. */
export type NeededHere = Exclude<Needs, 'nothing'> | Record<never, never>;

declare module 'fastify' {
  interface FastifyRequest {
    identity: Identity;
    /** Whether who asks has a permission on a local path. */
    may(permission: PathPermission, path: string): boolean;
    /** For answers that take long: finds out anew who asks, and refuses as at first where they may not any more. */
    askAgain(): Promise<void>;
  }
  interface FastifyContextConfig {
    needs?: Needs;
  }
}

interface Doors {
  /** Asked in turn, until one knows the credential. */
  authenticators: readonly Authenticator[];
  /** What is known of tenants, and is told of changes that were made here. */
  directory: Pick<Directory, 'accessOf' | 'changed'>;
  /** Where the tenant that a request names is looked up. */
  store: Store;
  now: () => Date;
}

/**
 * Refuses requests without a credential that is known, and those whose identity lacks what the route needs. Every route has
 * to say what it needs.
 */
export function guardRoutes(app: Pick<FastifyInstance, 'addHook'>, doors: Doors): void {
  const { authenticators, directory, now } = doors;
  app.addHook('onRoute', refuseOpenRoute);
  app.addHook('onRequest', async (request) => {
    const circumstances = () => ({ address: request.ip, now: now() });
    request.may = (permission, path) => mayOn(request.identity, permission, path, circumstances());
    request.askAgain = async () => {
      const needs = needsOf(request);
      const known = await identify(authenticators, request);
      // Also where the tenant that they name is refused: their own log tells it.
      request.identity ??= known;
      request.identity = await inNamedTenant(doors, known, request, needs);
      const missing = scopesOf(needs).find((scope) => !hasScope(request.identity, scope));
      if (missing) throw forbiddenScope(missing);
      // Before anything is read or looked up: whoever has it nowhere learns nothing of what there is.
      const permission = permissionOf(needs);
      if (permission && !mayAnywhere(request.identity, permission, circumstances()))
        throw forbiddenAnywhere(permission);
    };
    await request.askAgain();
  });
  // Once the address was read as the route's parameters.
  app.addHook('preHandler', async (request) => {
    const needs = needsOf(request);
    if ('onPath' in needs) requireOn(request, needs.onPath, pathOf(request.params as { '*': string }));
  });
  // Before the answer: whoever has it finds in this process what was changed.
  app.addHook('onSend', async (request, reply) => {
    const needs = needsOf(request);
    if (['GET', 'HEAD'].includes(request.method) || reply.statusCode >= 300 || !('scope' in needs)) return;
    // An operator changes any tenant, whichever they name.
    if (needs.scope === 'operator') directory.changed(null);
    else if (needs.scope === 'settings') directory.changed(request.identity.tenantId);
  });
}

/** Of a route that is not there, and of one that asks for nothing, an object without members. */
function needsOf({ routeOptions }: FastifyRequest): NeededHere {
  const { needs = 'nothing' } = routeOptions.config;
  return needs === 'nothing' ? {} : needs;
}

/** Throws `forbidden`, whether or not there is anything at the path. */
export function requireOn(request: FastifyRequest, permission: PathPermission, path: string): void {
  if (!request.may(permission, path)) throw forbiddenPath(permission, path);
}

async function identify(authenticators: readonly Authenticator[], request: FastifyRequest): Promise<Identity> {
  const given = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  const named = request.headers['x-keyferry-tenant'];
  const tenant = typeof named === 'string' && named !== '' ? named : null;
  try {
    if (given !== undefined)
      for (const authenticator of authenticators) {
        const identity = await authenticator.identify(given, { tenant });
        if (identity) return identity;
      }
  } catch (error) {
    if (error instanceof RefusedAtRest) request.identity ??= error.identity;
    throw error;
  }
  throw new KeyferryError('unauthorized', 'The request has no valid bearer token.');
}

function permissionOf(needs: NeededHere): PathPermission | null {
  if ('onPath' in needs) return needs.onPath;
  return 'onEach' in needs ? needs.onEach : null;
}

function scopesOf(needs: NeededHere): (Scope | 'operator')[] {
  if (!('scope' in needs)) return [];
  return needs.and === undefined ? [needs.scope] : [needs.scope, needs.and];
}

const hasScope = ({ operator, scopes }: Identity, scope: Scope | 'operator') =>
  scope === 'operator' ? operator : scopes.has(scope);

function refuseOpenRoute({ url, config }: RouteOptions): void {
  if (config?.needs === undefined) throw new Error(`The route ${url} does not say what it needs.`);
}
