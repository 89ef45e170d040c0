import { readClaim, verify } from '../aws/signature.ts';
import { type Answer, failure } from './answer.ts';
import type { AuthMount, AwsConfig, AwsKey, AwsRole } from './auth-roles.ts';
import { isObject, parseJson } from './json.ts';
import type { LoginOutcome } from './login.ts';
import type { VaultRequest } from './request.ts';

type AwsMount = Extract<AuthMount, { type: 'aws' }>;

const serverIdHeader = 'x-vault-aws-iam-server-id';
const globalEndpoint = 'https://sts.amazonaws.com';

/** The headers of Amazon's that the server passes on to AWS. */
const passedOn = /^x-amz-(algorithm|content-sha256|credential|date|security-token|signature|signedheaders|user-agent)$/;

/** A login by a call of GetCallerIdentity that the client has signed, and the server makes. */
export function awsLogin(mount: AwsMount, { body }: VaultRequest, now: number): LoginOutcome {
  const call = readCall(body);
  if ('status' in call) return call;
  const { config } = mount;
  const problem = serverIdProblem(call.headers, config.serverId);
  if (problem !== null) return failure(400, `error validating X-Vault-AWS-IAM-Server-ID header: ${problem}`);
  const foreign = Object.keys(call.headers).find((name) => name.startsWith('x-amz-') && !passedOn.test(name));
  if (foreign !== undefined) return failure(400, `invalid request header: ${foreign}`);
  const key = askAws(mount, call, now);
  if (key === null) return failure(400, 'error making upstream request: received error code 403 from STS');

  const name = typeof body.role === 'string' && body.role !== '' ? body.role : friendlyName(key);
  const role = mount.roles.get(name);
  if (role === undefined) return failure(400, `entry for role "${name}" not found`);
  if (!isBound(role, canonicalArn(key)))
    return failure(400, `IAM Principal "${key.arn}" does not belong to the role "${name}"`);
  return { role, metadata: { auth_type: 'iam', client_arn: key.arn, canonical_arn: canonicalArn(key) } };
}

interface SignedCall {
  url: URL;
  headers: Record<string, string>;
  body: Buffer;
}

function readCall(fields: VaultRequest['body']): SignedCall | Answer {
  const { iam_http_request_method: method } = fields;
  if (method === undefined || method === '') return failure(400, 'missing iam_http_request_method');
  if (method !== 'POST') return failure(400, "invalid iam_http_request_method; currently only 'POST' is supported");
  const [url, body, headers] = ['iam_request_url', 'iam_request_body', 'iam_request_headers'].map((name) =>
    typeof fields[name] === 'string' ? Buffer.from(fields[name], 'base64') : null,
  );
  if (!url) return failure(400, 'missing iam_request_url');
  if (!URL.canParse(url.toString())) return failure(400, 'error parsing iam_request_url');
  if (!body) return failure(400, 'missing iam_request_body');
  const action = new URLSearchParams(body.toString());
  if (action.get('Action') !== 'GetCallerIdentity' || action.size !== 2)
    return failure(400, 'invalid iam_request_body');
  const read = headers ? readHeaders(headers.toString()) : null;
  if (read === null) return failure(400, 'missing iam_request_headers');
  const parsed = new URL(url.toString());
  if (parsed.search !== '') return failure(400, 'invalid request');
  return { url: parsed, headers: { host: parsed.host, ...read }, body };
}

/** Each value is a text or a list of them. */
function readHeaders(text: string): Record<string, string> | null {
  try {
    const headers = parseJson(text);
    if (!isObject(headers)) return null;
    return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]));
  } catch {
    return null;
  }
}

function serverIdProblem(headers: Record<string, string>, wanted: string | undefined): string | null {
  if (wanted === undefined) return null;
  const given = headers[serverIdHeader];
  if (given === undefined) return 'missing header "X-Vault-AWS-IAM-Server-ID"';
  if (given !== wanted) return `expected "${wanted}" but got "${given}"`;
  const signed = /SignedHeaders=([^,]+)/.exec(headers.authorization ?? '')?.[1]?.split(';') ?? [];
  return signed.includes(serverIdHeader) ? null : "header wasn't signed";
}

/** Whose key has signed, as AWS would say; null where it refuses. */
function askAws({ config, keys }: AwsMount, { url, headers, body }: SignedCall, now: number): AwsKey | null {
  const { host } = new URL(config.stsEndpoint ?? globalEndpoint);
  // The signature is good for the host that it was made for.
  if (headers.host !== host) return null;
  try {
    const claim = readClaim(headers);
    const key = keys.get(claim.accessKeyId);
    if (key === undefined || headers['x-amz-security-token'] !== key.sessionToken) return null;
    if (key.expiresAt !== undefined && key.expiresAt <= now) return null;
    const request = { method: 'POST', path: url.pathname, query: '', headers, body };
    verify(request, claim, key.secretAccessKey, { service: 'sts', regions: [regionOf(config)], now });
    return key;
  } catch {
    return null;
  }
}

/** That of the endpoint's name; the endpoint of the whole world is in the oldest one. */
function regionOf({ stsEndpoint = globalEndpoint }: AwsConfig): string {
  return /^https?:\/\/sts\.([a-z]{2}-[a-z\d-]+)\./.exec(stsEndpoint)?.[1] ?? 'us-east-1';
}

/** `arn:aws:sts::1:assumed-role/sync/session` is a session of the role `sync`. */
function canonicalArn({ arn }: AwsKey): string {
  return arn.replace(/^(arn:[\w-]+):sts::(\d+):assumed-role\/([^/]+)\/.*$/, '$1:iam::$2:role/$3');
}

function friendlyName(key: AwsKey): string {
  return canonicalArn(key).replace(/^.*\//, '');
}

function isBound({ boundPrincipals }: AwsRole, arn: string): boolean {
  return boundPrincipals.some((bound) => (bound.endsWith('*') ? arn.startsWith(bound.slice(0, -1)) : bound === arn));
}
