import { generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

export interface SigningKey {
  kid: string;
  algorithm: 'RS256' | 'ES256';
  privateKey: KeyObject;
  publicKey: KeyObject;
}

/** What answers in place of the issuer. */
export type Answering = (request: IncomingMessage, response: ServerResponse) => void;

/** An issuer of signed tokens, with a server of its own for its public keys and its discovery document. */
export interface TestIssuer {
  /** As tokens name it. */
  url: string;
  jwksUrl: string;
  /** What it was asked for, in order. */
  asked: string[];
  /** Those that it shows; the first signs. */
  keys: SigningKey[];
  /** Null: as an issuer answers. */
  answering: Answering | null;
  /** A token as this issuer makes it, valid for five minutes from `at`, with these members beside or in place of its own. */
  sign(claims?: object, options?: { key?: SigningKey; header?: object; at?: Date }): string;
  /** Stops listening; what comes is refused. */
  close(): Promise<void>;
}

export function newSigningKey(algorithm: SigningKey['algorithm'] = 'RS256'): SigningKey {
  const pair =
    algorithm === 'RS256'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { kid: randomUUID(), algorithm, ...pair };
}

export const publicJwk = ({ kid, algorithm, publicKey }: SigningKey) => ({
  ...publicKey.export({ format: 'jwk' }),
  kid,
  alg: algorithm,
  use: 'sig',
});

/** What has a header and claims, and a signature that whoever calls makes of it. */
export function jwtOf(header: object, claims: object, signature: (text: string) => Buffer): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${part(header)}.${part(claims)}`;
  return `${text}.${signature(text).toString('base64url')}`;
}

/** With a certificate it listens on HTTPS. */
export async function startIssuer(options: { tls?: { cert: string; key: string } } = {}): Promise<TestIssuer> {
  const asked: string[] = [];
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    asked.push(request.url ?? '');
    if (issuer.answering) return issuer.answering(request, response);
    const documents: Record<string, object> = {
      '/.well-known/openid-configuration': { issuer: issuer.url, jwks_uri: issuer.jwksUrl },
      '/keys': { keys: issuer.keys.map(publicJwk) },
    };
    const document = documents[request.url ?? ''];
    response.writeHead(document ? 200 : 404, { 'content-type': 'application/json' });
    response.end(JSON.stringify(document ?? {}));
  };
  const server = options.tls ? createTlsServer(options.tls, listener) : createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const url = options.tls ? `https://localhost:${port}` : `http://127.0.0.1:${port}`;
  const issuer: TestIssuer = {
    url,
    jwksUrl: `${url}/keys`,
    asked,
    keys: [newSigningKey()],
    answering: null,
    sign(claims = {}, { key = issuer.keys[0] as SigningKey, header = {}, at = new Date() } = {}) {
      const seconds = Math.floor(at.getTime() / 1000);
      const usual = { iss: url, aud: 'keyferry', sub: 'somebody', iat: seconds, nbf: seconds, exp: seconds + 300 };
      return jwtOf({ alg: key.algorithm, kid: key.kid, ...header }, { ...usual, ...claims }, (text) =>
        sign('sha256', Buffer.from(text), { key: key.privateKey, dsaEncoding: 'ieee-p1363' }),
      );
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
  return issuer;
}
