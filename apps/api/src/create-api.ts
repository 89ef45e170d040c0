import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FlushChannel, SecretReader } from '@keyferry/access';
import type { PoolOptions } from '@keyferry/connections';
import { KeyferryError } from '@keyferry/core';
import type { EgressClient } from '@keyferry/egress';
import type { Authenticator, Directory } from '@keyferry/identity';
import type { Services } from '@keyferry/pipeline';
import type { Redis } from '@keyferry/queue';
import { type AuditWriter, type KeyManager, requestContext } from '@keyferry/store';
import {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyRequest,
  fastify,
  type RawServerDefault,
} from 'fastify';
import { serializerCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import { auditRequests, type RequestAudit } from './audited-requests.ts';
import { guardRoutes } from './authentication.ts';
import { errorHandler } from './error-handler.ts';
import { bodyLimit, longestParameter } from './limits.ts';
import { answerUnreadable } from './network/answer-unreadable.ts';
import { createListener, type ListenerOptions } from './network/listener.ts';
import { limitRequests, type RequestLimits } from './network/request-limits.ts';
import { spellAddresses } from './network/source-address.ts';
import { describeApi } from './openapi.ts';
import { auditRoutes } from './routes/audit.ts';
import { backendActionRoutes } from './routes/backend-actions.ts';
import { backendRoutes } from './routes/backends.ts';
import { backupRoutes } from './routes/backups.ts';
import { changeRoutes } from './routes/changes.ts';
import { conflictRoutes } from './routes/conflicts.ts';
import { cycleRoutes } from './routes/cycles.ts';
import { encryptionRoutes } from './routes/encryption.ts';
import { eventRoutes } from './routes/events.ts';
import { failureRoutes } from './routes/failures.ts';
import { flushRoutes } from './routes/flush-cache.ts';
import { healthRoutes } from './routes/health.ts';
import { holdRoutes } from './routes/holds.ts';
import { identityRoutes } from './routes/identities.ts';
import { issuerRoutes } from './routes/issuers.ts';
import { keyRoutes } from './routes/keys.ts';
import { channelRoutes } from './routes/notifications/channels.ts';
import { deliveryRoutes } from './routes/notifications/deliveries.ts';
import { ruleRoutes } from './routes/notifications/rules.ts';
import { planRoutes } from './routes/plans.ts';
import { policyRoutes } from './routes/policies.ts';
import { revocationRoutes } from './routes/revocations.ts';
import { secretWriteRoutes } from './routes/secret-writes.ts';
import { secretRoutes } from './routes/secrets.ts';
import { tenantRoutes } from './routes/tenants.ts';
import { tokenRoutes } from './routes/tokens.ts';
import { versionRoutes } from './routes/versions.ts';
import { whoamiRoutes } from './routes/whoami.ts';
import { refuseUnstorableText } from './storable-text.ts';
import { validatorWith } from './validator.ts';

export type Api = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse<IncomingMessage>,
  FastifyBaseLogger,
  ZodTypeProvider
>;

export interface NetworkOptions extends ListenerOptions {
  /** What the keys of limits in Redis begin with. */
  prefix: string;
  limits: RequestLimits;
  /** Addresses and networks of proxies whose word on who asks is taken. */
  trustedProxies: readonly string[];
}

/** `PoolOptions`: the kinds of vaults there are, and what of the operator's their settings may refer to. */
export interface ApiOptions extends Services, Omit<PoolOptions, 'now'> {
  keyring: KeyManager;
  /** Who is known, asked in turn. */
  authenticators: readonly Authenticator[];
  /** What is known of who may do what, and is told of what was changed here. */
  directory: Pick<Directory, 'accessOf' | 'changed'>;
  /** Asked by /readyz. */
  redis: Redis;
  /** What values are read by, and told that all of them are to be forgotten. */
  secrets: SecretReader;
  flushes: FlushChannel;
  /** What tells the audit log of requests, and whether nothing is read that it doesn't have. */
  audit: AuditWriter;
  auditReads: boolean;
  /** What notifications are sent by. */
  egress: EgressClient;
  /** How it is reached, and how often by whom; without, unencrypted and by anybody. */
  network?: NetworkOptions;
}

/** What routes have. */
export interface RouteOptions extends ApiOptions {
  told: RequestAudit;
}

/** The whole HTTP interface, not listening yet. Closing it leaves the services it was given open. */
export async function createApi(given: ApiOptions): Promise<Api> {
  const { network } = given;
  const told = auditRequests(given);
  const options: RouteOptions = { ...given, told };
  let unauthorized: (request: FastifyRequest) => void = () => {};
  const onError = errorHandler(options.log, told, (request) => unauthorized(request));
  const app: Api = fastify({
    bodyLimit,
    serverFactory: (onRequest) => createListener(onRequest, network ?? {}),
    trustProxy: network && network.trustedProxies.length > 0 ? [...network.trustedProxies] : false,
    genReqId: () => randomUUID(),
    routerOptions: { maxParamLength: longestParameter },
    forceCloseConnections: 'idle',
    return503OnClosing: true,
    frameworkErrors: onError,
    clientErrorHandler: answerUnreadable,
  }).withTypeProvider<ZodTypeProvider>();

  // JSON alone is taken.
  app.removeContentTypeParser('text/plain');
  app.setValidatorCompiler(validatorWith('config_invalid'));
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler(onError);
  const notFound = () => {
    throw new KeyferryError('not_found', 'There is no such route.');
  };
  app.setNotFoundHandler(notFound);
  // Not before the body was read: what reads it goes on outside of this.
  app.addHook('preHandler', (request, _reply, done) =>
    requestContext.run({ requestId: request.id, address: request.ip }, done),
  );
  app.addHook('onRequest', async (request, reply) => {
    // Values, tokens and settings: nothing that is answered here is for a cache on the way.
    reply.header('x-request-id', request.id).header('cache-control', 'no-store');
  });
  spellAddresses(app);
  if (network) {
    const now = () => options.now().getTime();
    unauthorized = limitRequests(app, { ...network, redis: options.redis, log: options.log, now });
  }
  app.addHook('preValidation', refuseUnstorableText);
  app.addHook('onResponse', async (request, reply) => {
    const { method, id, routeOptions } = request;
    const route = routeOptions.url ?? null;
    const fields = { request_id: id, method, route, status: reply.statusCode, ms: Math.round(reply.elapsedTime) };
    options.log.debug(fields, 'request');
  });

  await describeApi(app);
  healthRoutes(app, options);
  await app.register(
    async (v1) => {
      guardRoutes(v1, options);
      v1.addHook('onRoute', (route) => {
        route.schema = { ...route.schema, security: [{ token: [] }] };
      });
      v1.setNotFoundHandler(notFound);
      backendRoutes(v1, options);
      backendActionRoutes(v1, options);
      planRoutes(v1, options);
      cycleRoutes(v1, options);
      holdRoutes(v1, options);
      failureRoutes(v1, options);
      keyRoutes(v1, options);
      eventRoutes(v1, options);
      channelRoutes(v1, options);
      ruleRoutes(v1, options);
      deliveryRoutes(v1, options);
      identityRoutes(v1, options);
      tokenRoutes(v1, options);
      issuerRoutes(v1, options);
      whoamiRoutes(v1, options);
      await v1.register(async (access) => {
        access.setValidatorCompiler(validatorWith('policy_invalid'));
        policyRoutes(access, options);
      });
      tenantRoutes(v1, options);
      await v1.register(async (acts) => {
        // What these take as a body is no configuration.
        acts.setValidatorCompiler(validatorWith('request_invalid'));
        versionRoutes(acts, options);
        revocationRoutes(acts, options);
        backupRoutes(acts, options);
        encryptionRoutes(acts, options);
        conflictRoutes(acts, options);
        secretRoutes(acts, options);
        auditRoutes(acts, options);
        changeRoutes(acts, options);
        secretWriteRoutes(acts, options);
      });
    },
    { prefix: '/v1' },
  );
  await app.register(async (vault) => {
    guardRoutes(vault, options);
    flushRoutes(vault, options);
  });
  await app.ready();
  return app;
}
