import { createServer } from 'node:http';

export interface Health {
  /** Alive: restarting would not help it. */
  healthy: boolean;
  /** Able to work now. */
  ready: boolean;
  /** What was looked at, for a person. */
  checks: Record<string, string | number | boolean>;
}

/** Serves `/healthz` and `/readyz` as 200 or 503 with the checks as JSON. Returns how to stop it. */
export async function serveHealth(
  address: { host: string; port: number },
  check: () => Promise<Health>,
): Promise<{ port: number; close(): Promise<void> }> {
  const server = createServer(async (request, response) => {
    const question = request.url === '/healthz' ? 'healthy' : request.url === '/readyz' ? 'ready' : null;
    if (!question) return response.writeHead(404).end();
    const health = await check().catch((): Health => ({ healthy: true, ready: false, checks: { error: true } }));
    response.writeHead(health[question] ? 200 : 503, { 'content-type': 'application/json' });
    return response.end(JSON.stringify(health));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(address.port, address.host, resolve);
  });
  const bound = server.address();
  return {
    port: typeof bound === 'object' && bound ? bound.port : address.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
