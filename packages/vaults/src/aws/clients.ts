import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { STSClient } from '@aws-sdk/client-sts';
import type { AwsConfig } from './config.ts';
import { silent, type Transport } from './transport.ts';

/** What requests are signed with. */
export interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
  /** Milliseconds since the epoch; null for those that last. */
  expiresAt: number | null;
}

export interface Clients {
  secretsManager(credentials: Credentials, region: string): SecretsManagerClient;
  /** Without credentials for what is asked unsigned. */
  tokenService(credentials: Credentials | null, region: string): STSClient;
}

/**
 * Clients of the SDK over one transport. Each credentials have a client of their own, since the SDK would keep the first
 * ones it is given. Everything that the SDK would look up in the process's environment or in shared files is given
 * here: a backend is a tenant's, and those are the operator's.
 */
export async function createClients(config: AwsConfig, transport: Transport, now: () => number): Promise<Clients> {
  const [{ SecretsManagerClient }, { STSClient }] = await Promise.all([
    import('@aws-sdk/client-secrets-manager'),
    import('@aws-sdk/client-sts'),
  ]);
  const { requestHandler, streamCollector } = transport;
  const common = {
    requestHandler,
    streamCollector,
    // Calls are retried around, not within.
    maxAttempts: 1,
    retryMode: 'standard',
    defaultsMode: 'standard' as const,
    useDualstackEndpoint: false,
    useFipsEndpoint: false,
    ignoreConfiguredEndpointUrls: true,
    disableClockSkewCorrection: false,
    authSchemePreference: ['sigv4'],
    userAgentAppId: 'keyferry',
    logger: silent,
  };
  const signing = clockOfSignatures(now);
  const held = new WeakMap<Credentials, SecretsManagerClient>();

  return {
    secretsManager(credentials, region) {
      const known = held.get(credentials);
      if (known) return known;
      const client = new SecretsManagerClient({
        ...common,
        region,
        credentials: identityOf(credentials),
        ...(config.endpoint !== undefined && { endpoint: config.endpoint }),
      });
      signing.drive(client.config);
      held.set(credentials, client);
      return client;
    },
    tokenService(credentials, region) {
      const client = new STSClient({
        ...common,
        region,
        credentials: identityOf(credentials ?? unsigned),
        ...(config.sts_endpoint !== undefined && { endpoint: config.sts_endpoint }),
      });
      signing.drive(client.config);
      return client;
    },
  };
}

/** Never sent: what is asked unsigned needs none, but the SDK would look for some. */
const unsigned: Credentials = { accessKeyId: 'none', secretAccessKey: 'none', expiresAt: null };

/** Without their end, so that the SDK makes no decisions by it. */
function identityOf({ accessKeyId, secretAccessKey, sessionToken }: Credentials) {
  return { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) };
}

/**
 * Signatures hold the time. The SDK keeps how far the service's clock is from this machine's, client by client, and
 * takes that from every answer. Here all clients of a connection share it, on top of the connection's own clock.
 */
function clockOfSignatures(now: () => number) {
  let skew = 0;
  const own = () => now() - Date.now();
  return {
    drive(config: { systemClockOffset: number }): void {
      Object.defineProperty(config, 'systemClockOffset', {
        get: () => own() + skew,
        set: (offset: number) => {
          skew = offset - own();
        },
      });
    },
  };
}
