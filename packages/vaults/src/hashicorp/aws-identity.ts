import { untilAborted } from '../common/until-aborted.ts';
import type { ConnectContext } from '../contract.ts';
import type { HashicorpAuth } from './auth-config.ts';
import { refused } from './errors.ts';

type AwsAuth = Extract<HashicorpAuth, { method: 'aws' }>;

/** As the SDK hands it to its HTTP layer. */
interface SignedRequest {
  method: string;
  protocol: string;
  hostname: string;
  port?: number;
  path: string;
  headers: Record<string, string>;
  body: string;
}

/** Of the whole world but China and the isolated partitions; where Vault asks unless it is told otherwise. */
const globalEndpoint = 'https://sts.amazonaws.com';
const globalRegion = 'us-east-1';

/** Each step of the chain that asks over the network waits so long for its answer. */
const ambientTimeoutMs = 2_000;

/**
 * What the vault's login of the method `aws` takes: a call of GetCallerIdentity that is signed and not made. The vault
 * makes it, and learns from AWS who has signed.
 */
export async function awsLogin(auth: AwsAuth, context: ConnectContext, signal: AbortSignal): Promise<object> {
  const request = await sign(auth, await credentialsOf(auth, context, signal), context.now());
  const port = request.port === undefined ? '' : `:${request.port}`;
  return {
    ...(auth.role !== undefined && { role: auth.role }),
    iam_http_request_method: request.method,
    iam_request_url: base64(`${request.protocol}//${request.hostname}${port}${request.path}`),
    iam_request_body: base64(request.body),
    iam_request_headers: base64(JSON.stringify(request.headers)),
  };
}

interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

async function credentialsOf(auth: AwsAuth, context: ConnectContext, signal: AbortSignal): Promise<Credentials> {
  const { access_key_id: accessKeyId, secret_access_key: secretAccessKey, session_token: sessionToken } = auth;
  if (accessKeyId !== undefined && secretAccessKey !== undefined)
    return { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) };
  return context.call('login', signal, (attempt) => untilAborted(ambientCredentials(auth), attempt));
}

/** The SDK tells of profiles and variables that contradict each other, on the console unless it is given this. */
const silent = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

/** The machine's own, asked for anew at each login: files are rotated, and sessions end. */
async function ambientCredentials({ region }: AwsAuth): Promise<Credentials> {
  const { fromNodeProviderChain } = await import('@aws-sdk/credential-providers');
  const provide = fromNodeProviderChain({
    ignoreCache: true,
    maxRetries: 0,
    timeout: ambientTimeoutMs,
    logger: silent,
    clientConfig: { maxAttempts: 1, ...(region !== undefined && { region }) },
  });
  try {
    return await provide();
  } catch {
    throw refused('log in with the AWS identity of this machine', 'it has none that can be had');
  }
}

/** Lets the SDK build and sign the request, and takes it from where it would be sent. */
async function sign(auth: AwsAuth, credentials: Credentials, now: number): Promise<SignedRequest> {
  const { GetCallerIdentityCommand, STSClient } = await import('@aws-sdk/client-sts');
  const client = new STSClient({
    region: auth.region ?? globalRegion,
    // Said explicitly, since variables of the process must not decide where a tenant's signature is good.
    endpoint: auth.sts_endpoint ?? endpointOf(auth.region),
    useFipsEndpoint: false,
    useDualstackEndpoint: false,
    credentials,
    systemClockOffset: now - Date.now(),
    maxAttempts: 1,
  });
  let signed: SignedRequest | undefined;
  client.middlewareStack.add(
    (next) => (args) => {
      const { headers } = args.request as SignedRequest;
      if (auth.header_value !== undefined) headers['X-Vault-AWS-IAM-Server-ID'] = auth.header_value;
      return next(args);
    },
    { step: 'build' },
  );
  client.middlewareStack.addRelativeTo(
    () => async (args: { request: unknown }) => {
      signed = args.request as SignedRequest;
      return { output: { $metadata: {} }, response: undefined };
    },
    { relation: 'after', toMiddleware: 'httpSigningMiddleware' },
  );
  // What the SDK would say is not repeated: it knows the key.
  await client.send(new GetCallerIdentityCommand({})).catch(() => {});
  client.destroy();
  if (signed === undefined) throw refused('log in with the AWS key', 'no request could be signed with it');
  return signed;
}

function endpointOf(region: string | undefined): string {
  if (region === undefined) return globalEndpoint;
  return `https://sts.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
