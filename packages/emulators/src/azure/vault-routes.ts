import type { Reply } from '../http/send.ts';
import { checkAccessToken } from './access-token.ts';
import { badParameter, failure, withVaultHeaders } from './answer.ts';
import { mayDo } from './identities.ts';
import { list } from './listing-routes.ts';
import { permissionOf, type VaultOperation } from './operations.ts';
import { type AzureRequest, bearerOf } from './request.ts';
import { secretRoutes } from './secret-routes.ts';
import type { SkipTokens } from './skip-token.ts';
import type { AzureState } from './state.ts';

const apiVersions = ['7.0', '7.1', '7.2', '7.3', '7.4', '7.5', '7.6', '2025-07-01', '2026-04-01'];

export interface Vault {
  state: AzureState;
  tokens: SkipTokens;
  /** Where the tenant's logins are, as the vault tells who comes without a token. */
  authorityUrl(): string;
}

/** Decides a request in the order of the service: token, quota, version of the API, permission, secret. */
export function serveVault(vault: Vault, request: AzureRequest, asked: VaultOperation | null, body: Buffer): Reply {
  return withVaultHeaders(decide(vault, request, asked, body), vault.state.now());
}

function decide(vault: Vault, request: AzureRequest, asked: VaultOperation | null, body: Buffer): Reply {
  const { state } = vault;
  const resource = state.resource ?? request.base;
  const token = bearerOf(request);
  if (token === null) return challenge(vault, resource, 'AKV10000: Request is missing a Bearer or PoP token.');
  const identity = checkAccessToken(state, token, resource);
  if (typeof identity === 'string') return challenge(vault, resource, identity, 'invalid_token');

  const limited = state.quota.refuse(asked?.operation === 'SetSecret');
  if (limited !== null) {
    const why =
      'Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached';
    const refused = failure(429, 'Throttled', why);
    return { ...refused, headers: { ...refused.headers, ...limited } };
  }
  const version = request.query.get('api-version');
  if (version === null) return badParameter('The request URI must contain the api-version.');
  if (!apiVersions.includes(version))
    return badParameter(
      `The specified version (${version}) is not recognized. Consider using the latest supported version.`,
    );
  if (asked === null) return failure(404, 'NotFound', 'The resource was not found.');
  if (!mayDo(identity, permissionOf[asked.operation], asked.name)) {
    const why = `Caller is not authorized to perform action on resource. Caller: appid=${identity.clientId};oid=${identity.objectId}`;
    return failure(403, 'Forbidden', why, 'ForbiddenByRbac');
  }

  const { operation, name, version: id } = asked;
  switch (operation) {
    case 'GetSecrets':
    case 'GetSecretVersions':
    case 'GetDeletedSecrets':
      return list(state.secrets, vault.tokens, { operation, name, version: id }, request);
    default:
      return secretRoutes[operation](state.secrets, { name: name ?? '', version: id, body, base: request.base });
  }
}

function challenge({ state, authorityUrl }: Vault, resource: string, why: string, error?: string): Reply {
  const refused = failure(401, 'Unauthorized', why);
  const authorization = `${authorityUrl()}/${state.tenantId}`;
  const also = error === undefined ? '' : `, error="${error}", error_description="${why}"`;
  const header = `Bearer authorization="${authorization}", resource="${resource}"${also}`;
  return { ...refused, headers: { ...refused.headers, 'www-authenticate': header } };
}
