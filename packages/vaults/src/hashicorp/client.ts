import { ending } from '../common/ending.ts';
import type { VaultEgress } from '../contract.ts';
import type { HashicorpConfig } from './config.ts';
import { type Answer, transportFailure } from './errors.ts';
import { createTransport, type TransportRequest } from './transport.ts';

export interface VaultRequest {
  method?: 'GET' | 'POST' | 'DELETE';
  /** Below `/v1/`, percent-encoded, with its query. */
  path: string;
  /** What is attempted, and on which path: goes after "Could not" in a message. */
  what: string;
  token?: string;
  json?: object;
  /** Some paths exist in the root namespace alone. */
  rootNamespace?: boolean;
  /** Many names are expected: more is read than of other answers. */
  listing?: boolean;
  signal: AbortSignal;
}

export interface VaultClient {
  /** Any answer of the vault. Rejects with a transport's failure, or the signal's reason. */
  send(request: VaultRequest): Promise<Answer>;
  close(): Promise<void>;
}

/**
 * A node-vault client over a transport of ours. Its own HTTP layer drops headers, ignores abort signals, follows
 * redirects with the token and logs secrets, and it takes address, token, namespace and prefix from the process's
 * environment: whatever it might have taken there is overwritten, since a backend is a tenant's and the environment
 * the operator's.
 */
export async function createClient(config: HashicorpConfig, egress: VaultEgress): Promise<VaultClient> {
  const [{ default: nodeVault }, transport] = await Promise.all([
    import('node-vault'),
    createTransport(config, egress),
  ]);
  const { origin, pathname } = new URL(config.address);
  const client = nodeVault({
    endpoint: origin + pathname.replace(/\/+$/, ''),
    debug: () => {},
    // It would check each request against a schema of its own: that there is a path and a method.
    tv4: Object.assign(() => {}, { validate: () => true }),
    noCustomHTTPVerbs: true,
    'request-promise': { defaults: () => (request: TransportRequest) => transport.request(request) },
  });
  Object.assign(client, { token: '', namespace: '', pathPrefix: '' });
  client.handleVaultResponse = async (answer) => answer;

  return {
    async send({ method = 'GET', path, what, token, json, rootNamespace = false, listing = false, signal }) {
      const headers = {
        // A vault agent between may demand it, against requests that a browser was tricked into.
        'X-Vault-Request': 'true',
        ...(token !== undefined && { 'X-Vault-Token': token }),
        ...(config.namespace !== undefined && !rootNamespace && { 'X-Vault-Namespace': config.namespace }),
        ...(json !== undefined && { 'Content-Type': 'application/json' }),
      };
      try {
        const answer: Answer = await client.request({
          method,
          path: `/${path}`,
          headers,
          listing,
          signal,
          ...(json !== undefined && { json }),
        });
        return answer;
      } catch (error) {
        throw signal.aborted ? ending(signal.reason, what) : transportFailure(error, what);
      }
    },
    close: () => transport.close(),
  };
}
