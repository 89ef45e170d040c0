import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { send } from '../http/send.ts';
import { collect, type EmulatorServer, type Service } from '../http/server.ts';
import type { TestCertificate } from './certificate.ts';

export interface AuthorityListener {
  url: string;
  port: number;
  close(): Promise<void>;
}

/**
 * A second listener over the same service, for clients that speak to a directory by https alone while the vault speaks
 * http. It shares faults, log and latency, so that who disturbs or counts a login need not know where it goes.
 */
export async function listenForAuthority(
  service: Service,
  { faults, requests, latency }: EmulatorServer,
  { certificate, privateKey }: TestCertificate,
  { port, host }: { port: number; host: string },
): Promise<AuthorityListener> {
  const server = createServer({ cert: certificate, key: privateKey }, (message, response) => {
    const { facts, answer } = service.receive(message);
    const fault = faults.take(facts);
    collect(message, (body) => {
      const delay = latency.milliseconds + (fault?.kind === 'slow' ? fault.delayMs : 0);
      const finish = async () => {
        const reply = await (body === null ? service.tooLarge() : answer(body));
        requests.record({ ...facts, status: send(response, reply, fault) });
      };
      if (delay > 0) setTimeout(finish, delay);
      else void finish();
    });
  });
  server.keepAliveTimeout = 120_000;
  server.on('secureConnection', (socket) => {
    // Node can reset a plain connection alone. One that ends without a word is as broken for a client.
    socket.resetAndDestroy = () => socket.destroy();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address() as AddressInfo;
  return {
    url: `https://${host}:${address.port}`,
    port: address.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
