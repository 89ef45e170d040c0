import { type AgentOptions, Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Readable } from 'node:stream';
import { getCACertificates } from 'node:tls';
import type { SecretsManagerClientConfig } from '@aws-sdk/client-secrets-manager';
import { boundedBody } from '../common/bounded-body.ts';
import type { VaultEgress } from '../contract.ts';
import { checkedAgents } from './checked-agents.ts';
import type { AwsConfig } from './config.ts';

/** Larger than a page of listed secrets or a batch of values can be; 32 of them may be in memory at once. */
const largestAnswer = 16 * 1024 * 1024;

const connectMs = 10_000;

/**
 * The sockets of one connection, kept alive and at most as many as calls run at a time, for both services. The
 * settings' authority is trusted beside the system's: behind a private endpoint the token service may still be Amazon's.
 */
export async function createTransport({ tls }: AwsConfig, parallelism: number, egress: VaultEgress) {
  const { NodeHttpHandler } = await import('@smithy/node-http-handler');
  const socket: AgentOptions = { keepAlive: true, maxSockets: parallelism };
  const trust = {
    // Said explicitly, since NODE_TLS_REJECT_UNAUTHORIZED must not decide for a tenant.
    rejectUnauthorized: true,
    ...(tls?.ca_cert && { ca: [...getCACertificates('default'), tls.ca_cert] }),
  };
  const handler = (agents: { httpAgent: HttpAgent; httpsAgent: HttpsAgent }) =>
    new NodeHttpHandler({ connectionTimeout: connectMs, ...agents, logger: silent });
  const requestHandler = handler(checkedAgents(egress, socket, { ...socket, ...trust }));
  const machineHandler = handler({
    httpAgent: new HttpAgent(socket),
    httpsAgent: new HttpsAgent({ ...socket, ...trust }),
  });
  return {
    requestHandler,
    /** What the machine's own identity is had by: where that is, the operator says. */
    machineHandler,
    streamCollector: (body: Readable): Promise<Uint8Array> => boundedBody(body, largestAnswer),
    /** Requests under way fail. */
    close() {
      requestHandler.destroy();
      machineHandler.destroy();
    },
  };
}

export type Transport = Awaited<ReturnType<typeof createTransport>>;

const nothing = () => {};

/**
 * The SDK's warnings go to the console otherwise. What it would tell as info it only prepares for a logger that takes it: for
 * the values in an answer that costs as much as reading them.
 */
export const silent = { trace: nothing, debug: nothing, warn: nothing, error: nothing } as NonNullable<
  SecretsManagerClientConfig['logger']
>;
