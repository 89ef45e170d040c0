import type { Reply } from '../http/send.ts';
import { issueAccessToken } from './access-token.ts';
import { json } from './answer.ts';
import type { Identity } from './identities.ts';
import type { AzureRequest } from './request.ts';
import type { AzureState } from './state.ts';

/** Where a virtual machine asks for tokens, and where an App Service does. */
const places = { 'metadata/identity/oauth2/token': 'machine', 'msi/token': 'app_service' } as const;

export type MetadataPlace = (typeof places)[keyof typeof places];

export function metadataPlaceOf({ method, segments }: AzureRequest): MetadataPlace | null {
  const path = segments?.join('/') ?? '';
  return method === 'GET' && path in places ? places[path as keyof typeof places] : null;
}

/** Gives tokens of managed identities to whoever is on the machine, which a header has to show. */
export function serveMetadata(state: AzureState, request: AzureRequest, place: MetadataPlace): Reply {
  const { query, headers } = request;
  const problem = place === 'machine' ? ofMachine(headers, query) : ofAppService(state, headers, query);
  if (problem !== null) return refuse(problem);
  const resource = query.get('resource');
  if (!resource) return refuse("Invalid request: the parameter 'resource' is missing.");
  const identity = identityOf(state, query, place);
  if (identity === undefined) return refuse('Identity not found');
  const now = Math.floor(state.now() / 1000);
  return json(200, {
    access_token: issueAccessToken(state, identity, resource),
    client_id: identity.clientId,
    expires_on: String(now + state.tokenSeconds),
    not_before: String(now),
    resource,
    token_type: 'Bearer',
    ...(place === 'machine' && { expires_in: String(state.tokenSeconds), ext_expires_in: String(state.tokenSeconds) }),
  });
}

function ofMachine(headers: AzureRequest['headers'], query: URLSearchParams): string | null {
  if (headers.metadata?.toString().toLowerCase() !== 'true') return 'Required metadata header not specified';
  if (headers['x-forwarded-for'] !== undefined) return 'Forwarded requests are not served';
  return /^\d{4}-\d\d-\d\d$/.test(query.get('api-version') ?? '')
    ? null
    : 'Bad request. api-version is invalid or was not specified';
}

function ofAppService(state: AzureState, headers: AzureRequest['headers'], query: URLSearchParams): string | null {
  if (headers['x-identity-header'] !== state.identityHeader) return 'The identity header is missing or wrong';
  return query.get('api-version') === '2019-08-01' ? null : 'Unsupported API version';
}

/** The machine's own identity, or the one that is named: by one name alone. */
function identityOf(state: AzureState, query: URLSearchParams, place: MetadataPlace): Identity | undefined {
  const managed = [...state.identities.values()].filter((identity) => identity.managed !== null);
  const clientId = query.get('client_id');
  const objectId = query.get('object_id');
  const resourceId = query.get(place === 'machine' ? 'msi_res_id' : 'mi_res_id');
  const named = [clientId, objectId, resourceId].filter((name) => name !== null);
  if (named.length > 1) return undefined;
  if (named.length === 0) return managed.find((identity) => identity.managed?.byDefault);
  return managed.find(
    (identity) =>
      identity.clientId === clientId || identity.objectId === objectId || identity.managed?.resourceId === resourceId,
  );
}

function refuse(why: string): Reply {
  return json(400, { error: 'invalid_request', error_description: why });
}
