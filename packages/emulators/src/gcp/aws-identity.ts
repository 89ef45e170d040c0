import { createHmac, hash } from 'node:crypto';

/** Keys of AWS by their ids, and who has them. */
export type AwsKeys = ReadonlyMap<string, { secret: string; arn: string }>;

interface SignedRequest {
  url: URL;
  method: string;
  headers: Map<string, string>;
}

/** A signature is believed for so long. */
const windowMs = 15 * 60_000;

const authorization =
  /^AWS4-HMAC-SHA256 Credential=(?<id>[^/]+)\/(?<scope>\d{8}\/[\w-]+\/sts\/aws4_request), ?SignedHeaders=(?<names>[\w;-]+), ?Signature=(?<signature>[0-9a-f]{64})$/;

/**
 * Who has signed a request to AWS's GetCallerIdentity, as that would say, for this audience; null where anything is
 * wrong. `token` is the request as JSON, percent-encoded.
 */
export function awsIdentityOf(token: string, audience: string, keys: AwsKeys, now: number): string | null {
  const request = read(token);
  if (request === null) return null;
  const { url, method, headers } = request;
  const isQuestion = url.searchParams.get('Action') === 'GetCallerIdentity' && method === 'POST';
  if (!isQuestion || !/^sts(\.[a-z0-9-]+)?\.amazonaws\.com$/.test(url.hostname)) return null;
  if (headers.get('x-goog-cloud-target-resource') !== audience || headers.get('host') !== url.hostname) return null;
  const {
    id = '',
    scope = '',
    names = '',
    signature,
  } = authorization.exec(headers.get('authorization') ?? '')?.groups ?? {};
  const key = keys.get(id);
  if (key === undefined || !names.split(';').includes('host')) return null;
  const stamp = headers.get('x-amz-date') ?? '';
  if (Math.abs(now - timeOf(stamp)) > windowMs || !scope.startsWith(stamp.slice(0, 8))) return null;
  const signed = [`AWS4-HMAC-SHA256`, stamp, scope, hash('sha256', canonicalForm(request, names))].join('\n');
  return sign(key.secret, scope, signed) === signature ? key.arn : null;
}

function read(token: string): SignedRequest | null {
  try {
    const { url, method, headers } = JSON.parse(decodeURIComponent(token));
    const pairs = (headers as { key: string; value: string }[]).map(
      ({ key, value }) => [key.toLowerCase(), value] as const,
    );
    return { url: new URL(url), method, headers: new Map(pairs) };
  } catch {
    return null;
  }
}

function canonicalForm({ url, method, headers }: SignedRequest, names: string): string {
  const lines = names.split(';').map((name) => `${name}:${headers.get(name) ?? ''}\n`);
  const query = url.search.slice(1).split('&').sort().join('&');
  return [method, url.pathname, query, lines.join(''), names, hash('sha256', '')].join('\n');
}

function sign(secret: string, scope: string, text: string): string {
  let key: string | Buffer = `AWS4${secret}`;
  for (const part of scope.split('/')) key = createHmac('sha256', key).update(part).digest();
  return createHmac('sha256', key).update(text).digest('hex');
}

/** Of `20260301T120000Z`. */
function timeOf(stamp: string): number {
  return Date.parse(stamp.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
}
