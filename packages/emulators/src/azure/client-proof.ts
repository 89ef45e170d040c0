import { createHash, createPublicKey, X509Certificate } from 'node:crypto';
import type { Identity } from './identities.ts';
import { isSignedBy, type Jwt, parseJwt } from './jwt.ts';

/** Why a client is not believed to be who it says: the directory's number for it, and its words. */
export type Disbelief = [code: number, why: string];

const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/** For whom a federated token has to be. */
const federatedAudience = 'api://AzureADTokenExchange';

/** Whether the form proves that it comes from this application: null, or why not. `tokenUrl` is where it was sent. */
export function disbelieve(form: URLSearchParams, identity: Identity, tokenUrl: string, now: number): Disbelief | null {
  const assertion = form.get('client_assertion');
  if (assertion === null) return bySecret(form.get('client_secret'), identity, now);
  if (form.get('client_assertion_type') !== assertionType)
    return [50027, 'The client_assertion_type is not supported.'];
  const jwt = parseJwt(assertion);
  if (jwt === null) return [50027, 'JWT token is invalid or malformed.'];
  const early = untimely(jwt, now);
  if (early !== null) return early;
  const { header } = jwt;
  const byCertificate = header.x5t !== undefined || header['x5t#S256'] !== undefined;
  return byCertificate ? byOwnKey(jwt, identity, tokenUrl) : byFederation(jwt, identity);
}

function bySecret(secret: string | null, { clientSecrets }: Identity, now: number): Disbelief | null {
  if (secret === null) return [7000218, "The request body must contain 'client_assertion' or 'client_secret'."];
  const known = clientSecrets.find(({ value }) => value === secret);
  if (known === undefined) return [7000215, 'Invalid client secret provided.'];
  if (known.expiresAt !== null && known.expiresAt <= now)
    return [7000222, 'The provided client secret keys are expired.'];
  return null;
}

function untimely({ claims: { nbf, exp } }: Jwt, now: number): Disbelief | null {
  const seconds = now / 1000;
  // Five minutes are allowed for clocks that differ.
  const fits = typeof exp === 'number' && exp > seconds - 300 && (typeof nbf !== 'number' || nbf < seconds + 300);
  return fits ? null : [700024, 'Client assertion is not within its valid time range.'];
}

/** An assertion that the application signed itself, with the key of a certificate that is registered for it. */
function byOwnKey(jwt: Jwt, { clientId, certificates }: Identity, tokenUrl: string): Disbelief | null {
  const { header, claims } = jwt;
  const certificate = certificates.find((pem) => thumbprintsOf(pem).some(([name, print]) => header[name] === print));
  if (certificate === undefined)
    return [
      700027,
      'The certificate with identifier used to sign the client assertion is not registered on application.',
    ];
  if (!isSignedBy(jwt, new X509Certificate(certificate).publicKey))
    return [700027, 'Client assertion failed signature validation.'];
  // The chain, where it is sent: the registered certificate comes first.
  const sent = Array.isArray(header.x5c) ? header.x5c[0] : undefined;
  if (header.x5c !== undefined && sent !== new X509Certificate(certificate).raw.toString('base64'))
    return [700027, 'The certificate chain in the client assertion does not begin with the registered one.'];
  if (claims.iss !== clientId || claims.sub !== clientId)
    return [700021, 'Client assertion application identifier doesn’t match the client_id parameter.'];
  if (claims.aud !== tokenUrl) return [700023, 'Client assertion audience claim does not match the realm issuer.'];
  return typeof claims.jti === 'string' ? null : [50027, 'JWT token is invalid: the claim jti is missing.'];
}

function thumbprintsOf(pem: string): [string, string][] {
  const { raw } = new X509Certificate(pem);
  const print = (algorithm: string) => createHash(algorithm).update(raw).digest('base64url');
  return [
    ['x5t', print('sha1')],
    ['x5t#S256', print('sha256')],
  ];
}

/** A token of another issuer, such as a cluster's of a service account, which the application trusts. */
function byFederation(jwt: Jwt, { federated }: Identity): Disbelief | null {
  const { iss, sub, aud } = jwt.claims;
  const trusted = federated.filter(({ issuer }) => issuer === iss);
  if (trusted.length === 0 || !trusted.some(({ publicKey }) => isSignedBy(jwt, createPublicKey(publicKey))))
    return [700211, 'No matching federated identity record found for presented assertion issuer.'];
  if (!trusted.some(({ subject }) => subject === sub))
    return [700213, 'No matching federated identity record found for presented assertion subject.'];
  const audiences = Array.isArray(aud) ? aud : [aud];
  if (!audiences.includes(federatedAudience))
    return [700212, 'No matching federated identity record found for presented assertion audience.'];
  return null;
}
