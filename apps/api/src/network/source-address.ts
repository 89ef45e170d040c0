import { isIP } from 'node:net';
import type { FastifyInstance, FastifyRequest } from 'fastify';

/**
 * Gives `request.ip` one spelling, as policies and limits compare it: what came over IPv6 for IPv4 (`::ffff:192.0.2.1`) is
 * IPv4, and a proxy's port is left off. What a proxy forwards and is no address counts as the proxy's own.
 */
export function spellAddresses(app: Pick<FastifyInstance, 'addHook'>): void {
  app.addHook('onRequest', (request, _reply, done) => {
    const { ip } = request;
    // Nearly all are as they should be, and each request comes by here.
    if (isIP(ip) !== 4) Object.defineProperty(request, 'ip', { value: addressOf(request) });
    done();
  });
}

function addressOf({ ip, socket }: Pick<FastifyRequest, 'ip' | 'socket'>): string {
  return plainAddress(ip) ?? plainAddress(socket.remoteAddress ?? '') ?? '';
}

/** Null for what is no address. */
function plainAddress(text: string): string | null {
  const [, bracketed, withPort] = /^(?:\[([^\]]+)\](?::\d+)?|([\d.]+):\d+)$/.exec(text) ?? [];
  const address = (bracketed ?? withPort ?? text).replace(/%.*$/, '');
  const mapped = /^::ffff:([\d.]+)$/i.exec(address)?.[1];
  const plain = mapped ?? address;
  return isIP(plain) === 0 ? null : plain.toLowerCase();
}
