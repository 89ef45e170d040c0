import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { Refusal } from './refusal.ts';

/** A request as its signature sees it. */
export interface SignedRequest {
  method: string;
  /** Raw, as it came. */
  path: string;
  /** Raw, without the question mark. */
  query: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** What a request says about its signature, in the header Authorization. Nothing of it is proven yet. */
export interface Claim {
  accessKeyId: string;
  /** `20260301`. */
  day: string;
  region: string;
  service: string;
  signedHeaders: string[];
  signature: string;
  /** `20260301T120000Z`. */
  time: string;
}

const fiveMinutes = 5 * 60_000;

/** Reads the header of signature version 4. Throws what the service answers to one that is missing or incomplete. */
export function readClaim(headers: IncomingHttpHeaders): Claim {
  const header = headers.authorization;
  if (header === undefined) throw new Refusal('MissingAuthenticationTokenException', 'Missing Authentication Token');
  const [, algorithm, rest = ''] = /^(\S+)\s+(.*)$/.exec(header) ?? [];
  if (algorithm !== 'AWS4-HMAC-SHA256') throw incomplete(`Unsupported AWS 'algorithm': '${algorithm ?? ''}'.`);
  const parts = new Map(rest.split(',').map((part) => splitOnce(part.trim(), '=')));
  const credential = parts.get('Credential');
  const signed = parts.get('SignedHeaders');
  const signature = parts.get('Signature');
  if (!credential) throw incomplete("Authorization header requires 'Credential' parameter.");
  if (!signature) throw incomplete("Authorization header requires 'Signature' parameter.");
  if (!signed) throw incomplete("Authorization header requires 'SignedHeaders' parameter.");
  const scope = credential.split('/');
  const [accessKeyId = '', day = '', region = '', service = '', end] = scope;
  if (scope.length !== 5 || end !== 'aws4_request')
    throw incomplete('Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.');
  const time = headerOf(headers, 'x-amz-date');
  if (time === undefined)
    throw incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.");
  if (!/^\d{8}T\d{6}Z$/.test(time)) throw incomplete(`Date must be in ISO-8601 'basic format'. Got '${time}'.`);
  return { accessKeyId, day, region, service, signedHeaders: signed.split(';'), signature, time };
}

/**
 * Proves a claim with the key's secret, by the clock and for the service and one of the regions. The order of the
 * checks is that of the real service: the scope, the time, the signature.
 */
export function verify(
  request: SignedRequest,
  claim: Claim,
  secretAccessKey: string,
  expected: { service: string; regions: readonly string[]; now: number },
): void {
  if (claim.service !== expected.service)
    throw invalid(`Credential should be scoped to correct service: '${expected.service}'.`);
  if (!expected.regions.includes(claim.region))
    throw invalid(`Credential should be scoped to a valid region, not '${claim.region}'.`);
  if (claim.day !== claim.time.slice(0, 8))
    throw invalid(
      `Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '${claim.day}' != '${claim.time.slice(0, 8)}', from '${claim.time}'.`,
    );
  checkTime(claim.time, expected.now);
  for (const name of mustBeSigned(request.headers))
    if (!claim.signedHeaders.includes(name))
      throw invalid(`'${name}' must be a 'SignedHeader' in the AWS Authorization.`);
  const ours = Buffer.from(sign(request, claim, secretAccessKey));
  const theirs = Buffer.from(claim.signature);
  if (ours.length !== theirs.length || !timingSafeEqual(ours, theirs))
    throw invalid(
      'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
    );
}

/** The host, and whatever of a request is Amazon's own. */
function mustBeSigned(headers: IncomingHttpHeaders): string[] {
  return ['host', ...Object.keys(headers).filter((name) => /^x-amz-(date|target|security-token)$/.test(name))];
}

function checkTime(time: string, now: number): void {
  const signedAt = Date.parse(time.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z'));
  const server = basic(now);
  if (!(signedAt >= now - fiveMinutes))
    throw invalid(`Signature expired: ${time} is now earlier than ${basic(now - fiveMinutes)} (${server} - 5 min.)`);
  if (signedAt > now + fiveMinutes)
    throw invalid(
      `Signature not yet current: ${time} is still later than ${basic(now + fiveMinutes)} (${server} + 5 min.)`,
    );
}

function basic(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(/[-:]|\.\d+/g, '');
}

function sign(request: SignedRequest, claim: Claim, secretAccessKey: string): string {
  const payloadHash = sha256(request.body);
  const claimedHash = headerOf(request.headers, 'x-amz-content-sha256');
  if (claimedHash !== undefined && claimedHash !== payloadHash)
    throw invalid("The provided 'x-amz-content-sha256' header does not match what was computed.");
  const canonical = [
    request.method,
    canonicalPath(request.path),
    canonicalQuery(request.query),
    ...claim.signedHeaders.map((name) => `${name}:${canonicalValue(request.headers, name)}`),
    '',
    claim.signedHeaders.join(';'),
    payloadHash,
  ].join('\n');
  const scope = `${claim.day}/${claim.region}/${claim.service}/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', claim.time, scope, sha256(canonical)].join('\n');
  const key = [claim.day, claim.region, claim.service, 'aws4_request'].reduce<Buffer>(
    (secret, part) => hmac(secret, part),
    Buffer.from(`AWS4${secretAccessKey}`),
  );
  return hmac(key, toSign).toString('hex');
}

/** Every segment is encoded once more than it came; dots and empty segments are resolved away. */
function canonicalPath(path: string): string {
  const clean = new URL(path.replace(/\/{2,}/g, '/'), 'http://host').pathname;
  return clean.split('/').map(encode).join('/');
}

function canonicalQuery(query: string): string {
  if (query === '') return '';
  const pairs = query.split('&').map((pair) => splitOnce(pair, '=').map((part) => encode(decodeURIComponent(part))));
  return pairs
    .map(([name = '', value = '']) => `${name}=${value}`)
    .sort()
    .join('&');
}

function canonicalValue(headers: IncomingHttpHeaders, name: string): string {
  return (headerOf(headers, name) ?? '').trim().replace(/ +/g, ' ');
}

function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(',') : value;
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

/** Percent-encoding of everything but the unreserved characters. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest('hex');
const hmac = (key: Buffer, data: string) => createHmac('sha256', key).update(data).digest();

const invalid = (message: string) => new Refusal('InvalidSignatureException', message);
const incomplete = (message: string) => new Refusal('IncompleteSignatureException', message);
