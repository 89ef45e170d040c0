import { createPublicKey } from 'node:crypto';
import type { Reply } from '../http/send.ts';
import { issueAccessToken, keyId } from './access-token.ts';
import { json } from './answer.ts';
import { disbelieve } from './client-proof.ts';
import { refusal } from './entra-answer.ts';
import type { AzureRequest } from './request.ts';
import type { AzureState } from './state.ts';

export type AuthorityOperation = 'Token' | 'OpenIdConfiguration' | 'InstanceDiscovery' | 'Keys';

/** What a request asks of the directory; null where it asks nothing of it. */
export function authorityOperationOf({ method, segments }: AzureRequest): AuthorityOperation | null {
  const path = (segments ?? []).slice(1).join('/');
  if (method === 'POST') return path === 'oauth2/v2.0/token' ? 'Token' : null;
  if (method !== 'GET') return null;
  if (path === 'v2.0/.well-known/openid-configuration') return 'OpenIdConfiguration';
  if (segments?.join('/') === 'common/discovery/instance') return 'InstanceDiscovery';
  return path === 'discovery/v2.0/keys' ? 'Keys' : null;
}

export function serveAuthority(
  state: AzureState,
  request: AzureRequest,
  asked: AuthorityOperation,
  body: Buffer,
): Reply {
  const tenant = request.segments?.[0] ?? '';
  const { base } = request;
  if (asked === 'InstanceDiscovery')
    return json(200, { tenant_discovery_endpoint: openIdUrl(base, state.tenantId), metadata: [] });
  if (tenant !== state.tenantId)
    return refusal(400, 'invalid_request', 90002, `Tenant '${tenant}' not found.`, state.now());
  switch (asked) {
    case 'Token':
      return token(state, request, body);
    case 'OpenIdConfiguration':
      return json(200, {
        issuer: `${base}/${tenant}/v2.0`,
        authorization_endpoint: `${base}/${tenant}/oauth2/v2.0/authorize`,
        token_endpoint: tokenUrl(base, tenant),
        jwks_uri: `${base}/${tenant}/discovery/v2.0/keys`,
        token_endpoint_auth_methods_supported: ['client_secret_post', 'private_key_jwt'],
        response_types_supported: ['code', 'token'],
        subject_types_supported: ['pairwise'],
        id_token_signing_alg_values_supported: ['RS256'],
      });
    case 'Keys':
      return json(200, {
        keys: [{ use: 'sig', kid: keyId, ...createPublicKey(state.signingKey).export({ format: 'jwk' }) }],
      });
  }
}

const openIdUrl = (base: string, tenant: string) => `${base}/${tenant}/v2.0/.well-known/openid-configuration`;
const tokenUrl = (base: string, tenant: string) => `${base}/${tenant}/oauth2/v2.0/token`;

function token(state: AzureState, { base, headers }: AzureRequest, body: Buffer): Reply {
  const now = state.now();
  if (!/^application\/x-www-form-urlencoded/.test(headers['content-type'] ?? ''))
    return refusal(400, 'invalid_request', 900144, "The request body must contain the parameter: 'grant_type'.", now);
  const form = new URLSearchParams(body.toString());
  const missing = ['client_id', 'scope', 'grant_type'].find((name) => !form.get(name));
  if (missing !== undefined)
    return refusal(400, 'invalid_request', 900144, `The request body must contain the parameter: '${missing}'.`, now);
  if (form.get('grant_type') !== 'client_credentials')
    return refusal(400, 'unsupported_grant_type', 70003, 'The app requested an unsupported grant type.', now);

  const identity = state.identities.get(form.get('client_id') ?? '');
  if (identity === undefined || identity.managed !== null) {
    const why = `Application with identifier '${form.get('client_id')}' was not found in the directory.`;
    return refusal(400, 'unauthorized_client', 700016, why, now);
  }
  const disbelief = disbelieve(form, identity, tokenUrl(base, state.tenantId), now);
  if (disbelief !== null) return refusal(401, 'invalid_client', disbelief[0], disbelief[1], now);

  const audience = audienceOf(form.get('scope') ?? '');
  if (audience === null)
    return refusal(
      400,
      'invalid_scope',
      1002012,
      'The provided value for scope is not valid: it must end in /.default.',
      now,
    );
  const expires = state.tokenSeconds;
  return json(200, {
    token_type: 'Bearer',
    expires_in: expires,
    ext_expires_in: expires,
    access_token: issueAccessToken(state, identity, audience),
  });
}

/** The resource of the one scope that this grant can be for. Scopes of OpenID beside it count for nothing. */
function audienceOf(scope: string): string | null {
  const scopes = scope.split(' ').filter((one) => !/^(openid|profile|offline_access)$/.test(one));
  return scopes.length === 1 ? (/^(.+)\/\.default$/.exec(scopes[0] ?? '')?.[1] ?? null) : null;
}
