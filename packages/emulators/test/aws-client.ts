import { createHash, createHmac } from 'node:crypto';
import type { AwsAccessKey, AwsEmulator } from '../src/index.ts';

type Key = Pick<AwsAccessKey, 'accessKeyId' | 'secretAccessKey'> & { sessionToken?: string | null };

export interface AwsReply {
  status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of many shapes.
  body: any;
  text: string;
  /** What the error is called. */
  code: string | undefined;
}

export interface SignedCall {
  key?: Key;
  /** Milliseconds since the epoch. */
  time?: number;
  region?: string;
  service?: string;
  /** Headers that are sent and not signed. */
  unsigned?: Record<string, string>;
  /** Changes the request after it was signed. */
  tamper?(request: { headers: Record<string, string>; body: string }): void;
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const hmac = (key: Buffer | string, text: string) => createHmac('sha256', key).update(text).digest();

/** An operation of Secrets Manager; by the operator unless told otherwise. */
export function askAws(
  emulator: AwsEmulator,
  operation: string,
  input: unknown,
  call: SignedCall = {},
): Promise<AwsReply> {
  const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `secretsmanager.${operation}` };
  return send(emulator, headers, typeof input === 'string' ? input : JSON.stringify(input), call);
}

/** An action of the security token service. */
export function askSts(
  emulator: AwsEmulator,
  parameters: Record<string, string>,
  call: SignedCall = {},
): Promise<AwsReply> {
  const body = new URLSearchParams({ Version: '2011-06-15', ...parameters }).toString();
  return send(emulator, { 'content-type': 'application/x-www-form-urlencoded' }, body, { service: 'sts', ...call });
}

/** The text of an element of XML. */
export function textOf(xml: string, element: string): string | undefined {
  return new RegExp(`<${element}>([^<]*)</${element}>`).exec(xml)?.[1];
}

async function send(
  emulator: AwsEmulator,
  headers: Record<string, string>,
  body: string,
  {
    key = emulator.operator,
    time = Date.now(),
    region = emulator.region,
    service = 'secretsmanager',
    unsigned,
    tamper,
  }: SignedCall,
): Promise<AwsReply> {
  const stamp = new Date(time).toISOString().replace(/[-:]|\.\d+/g, '');
  const all: Record<string, string> = {
    ...headers,
    host: new URL(emulator.url).host,
    'x-amz-date': stamp,
    ...(key.sessionToken && { 'x-amz-security-token': key.sessionToken }),
  };
  const names = Object.keys(all).sort();
  const canonical = [
    'POST',
    '/',
    '',
    ...names.map((name) => `${name}:${all[name]}`),
    '',
    names.join(';'),
    sha256(body),
  ];
  const scope = [stamp.slice(0, 8), region, service, 'aws4_request'];
  const toSign = ['AWS4-HMAC-SHA256', stamp, scope.join('/'), sha256(canonical.join('\n'))].join('\n');
  const signingKey = scope.reduce<Buffer | string>(hmac, `AWS4${key.secretAccessKey}`);
  const signature = hmac(signingKey, toSign).toString('hex');
  const authorization = `AWS4-HMAC-SHA256 Credential=${[key.accessKeyId, ...scope].join('/')}, SignedHeaders=${names.join(';')}, Signature=${signature}`;
  const request: { headers: Record<string, string>; body: string } = {
    headers: { ...all, ...unsigned, authorization },
    body,
  };
  tamper?.(request);
  const { host: _host, ...sent } = request.headers;
  const response = await fetch(emulator.url, { method: 'POST', headers: sent, body: request.body });
  const text = await response.text();
  const parsed = text.startsWith('{') ? JSON.parse(text) : null;
  return { status: response.status, body: parsed, text, code: parsed?.__type ?? textOf(text, 'Code') };
}
