import { KeyferryError } from '@keyferry/core';
import { sourceNetwork } from '@keyferry/egress';
import type { Redis } from '@keyferry/queue';
import { type Log, throttled } from '@keyferry/telemetry';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { createSharedLimit, type SharedLimit } from './shared-limit.ts';

/** Requests a minute; 0 is no limit. */
export interface RequestLimits {
  /** Of one identity of a tenant. */
  identity: number;
  /** From one address, before it is known who asks. */
  address: number;
  /** From one address with credentials that nobody has: beyond it the address is refused whatever it sends. */
  refused: number;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who watches the process is never refused. */
    unlimited?: true;
  }
}

interface Parts {
  redis: Redis;
  prefix: string;
  limits: RequestLimits;
  log: Log;
  now: () => number;
}

const none: SharedLimit = { take: () => 0, wait: () => 0 };

/** Refuses who asks too much with `rate_limited`. Returns how to count a request whose credential nobody has. */
export function limitRequests(
  app: Pick<FastifyInstance, 'addHook'>,
  { redis, prefix, limits, log, now }: Parts,
): (request: FastifyRequest) => void {
  const limitOf = (name: keyof RequestLimits) =>
    limits[name] === 0
      ? none
      : createSharedLimit({ redis, prefix: `${prefix}:limit:${name}`, points: limits[name], now });
  const [identity, address, refused] = [limitOf('identity'), limitOf('address'), limitOf('refused')];
  const report = throttled(60_000, now, (who, others) => log.warn({ who, others }, 'requests are refused by a limit'));

  function refuse(who: string, why: string, retryAfterMs: number): KeyferryError {
    report(who);
    return new KeyferryError('rate_limited', why, { retryAfterMs });
  }

  app.addHook('onRequest', (request, _reply, done) => {
    if (request.routeOptions.config.unlimited) return done();
    const source = sourceNetwork(request.ip);
    const guessedMs = refused.wait(source);
    if (guessedMs > 0)
      return done(
        refuse(source, `${source} has sent more than ${limits.refused} invalid tokens in a minute.`, guessedMs),
      );
    const waitMs = address.take(source);
    if (waitMs > 0)
      return done(refuse(source, `${source} has sent more than ${limits.address} requests in a minute.`, waitMs));
    done();
  });

  // Once it is known who asks, and before a body is read.
  app.addHook('preParsing', (request, _reply, _payload, done) => {
    if (request.routeOptions.config.needs === undefined) return done();
    const { tenantId, actor } = request.identity;
    const waitMs = identity.take(`${tenantId}:${actor}`);
    if (waitMs === 0) return done();
    done(refuse(actor, `${actor} has sent more than ${limits.identity} requests in a minute.`, waitMs));
  });

  return (request) => void refused.take(sourceNetwork(request.ip));
}
