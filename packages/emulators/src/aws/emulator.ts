import type { Socket } from 'node:net';
import type { Faults } from '../http/faults.ts';
import type { RequestLog } from '../http/request-log.ts';
import { type EmulatorServer, type ListenOptions, serve } from '../http/server.ts';
import { IdentitiesHandle } from './identities-handle.ts';
import type { TokenClaims } from './identity-provider.ts';
import type { KmsStore } from './kms-store.ts';
import type { OperationRates } from './quotas.ts';
import { SecretsHandle } from './secrets-handle.ts';
import { awsService } from './server.ts';
import { AwsState, type Place } from './state.ts';

export interface AwsEmulatorOptions extends ListenOptions {
  /** Milliseconds since the epoch; signatures, keys, recovery windows and quotas go by it. */
  now?: () => number;
  /** Twelve digits; 111122223333 by default. */
  account?: string;
  /** Where secrets are by default: us-east-1. */
  region?: string;
  /** Further regions that are served. eu-central-1 by default. */
  otherRegions?: readonly string[];
  /** Most bytes of values in one answer to BatchGetSecretValue, beyond which there is another page. 1 MiB by default. */
  batchBytes?: number;
}

export interface AwsEmulator {
  readonly url: string;
  readonly account: string;
  readonly region: string;
  /** A key that may do everything in the account. */
  readonly operator: { accessKeyId: string; secretAccessKey: string };
  readonly faults: Faults;
  readonly requests: RequestLog;
  readonly secrets: SecretsHandle;
  readonly identities: IdentitiesHandle;
  /** Keys of the key management service, in the home account and region. */
  readonly kms: KmsStore;
  /** The secrets of another account or region. */
  at(place: Partial<Place>): SecretsHandle;
  /** A token of an identity provider, as a cluster gives one to its pods. */
  issueToken(claims: TokenClaims): string;
  /** The role that the instance metadata give keys of, by its ARN; null is none. */
  setInstanceRole(roleArn: string | null): void;
  /** The role whose keys are at `/container/credentials`, for who shows this authorization. */
  setContainerRole(roleArn: string, authorization: string): void;
  setLatency(milliseconds: number): void;
  /** Requests a second by operation, what Amazon publishes, or no limits. */
  setQuota(rates: OperationRates | 'published' | null): void;
  /** How many sockets clients that have asked something hold open. */
  openSockets(): number;
  /** Stops answering and drops every connection, hanging ones too. */
  close(): Promise<void>;
}

/** What the process around an emulator needs beyond its tests: the state, to keep it, and a way in, to control it. */
export interface AwsInternals {
  state: AwsState;
  server: EmulatorServer;
}

const internals = new WeakMap<AwsEmulator, AwsInternals>();

/** Starts a stand-in of AWS Secrets Manager, of the key management service, of the security token service and of the metadata services. */
export async function startAwsEmulator(options: AwsEmulatorOptions = {}): Promise<AwsEmulator> {
  const { now = Date.now, account = '111122223333', region = 'us-east-1' } = options;
  const { otherRegions = ['eu-central-1'], batchBytes = 1024 * 1024 } = options;
  const state = new AwsState(now, { account, region }, otherRegions, batchBytes);
  const sockets = new Set<Socket>();
  const server = await serve(awsService(state, sockets), options);
  const identities = new IdentitiesHandle(state.identities, account, now);
  const { accessKeyId, secretAccessKey } = identities.createKey('operator', [{ actions: ['*'] }]);
  const at = (place: Partial<Place>) => new SecretsHandle(state.store({ ...state.home, ...place }), now);
  const emulator: AwsEmulator = {
    url: server.url,
    account,
    region,
    operator: { accessKeyId, secretAccessKey },
    faults: server.faults,
    requests: server.requests,
    secrets: at({}),
    identities,
    kms: state.kms(state.home),
    at,
    issueToken: (claims) => state.provider.issue(claims),
    setInstanceRole: (roleArn) => {
      state.metadata.instanceRole = roleArn === null ? null : identities.role(roleArn);
    },
    setContainerRole: (roleArn, authorization) => {
      state.metadata.container = { role: identities.role(roleArn), authorization };
    },
    setLatency: (milliseconds) => {
      server.latency.milliseconds = milliseconds;
    },
    setQuota: (rates) => state.quotas.set(rates),
    openSockets: () => sockets.size,
    close: () => server.close(),
  };
  internals.set(emulator, { state, server });
  return emulator;
}

export function awsInternalsOf(emulator: AwsEmulator): AwsInternals {
  const found = internals.get(emulator);
  if (found === undefined) throw new Error('not an emulator of this process');
  return found;
}
