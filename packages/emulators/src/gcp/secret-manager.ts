import { errorInfo, invalid, Refusal } from './answer.ts';
import { authenticate } from './authenticate.ts';
import { parseBody } from './body.ts';
import { type Query, readQuery } from './query.ts';
import type { Quotas } from './quotas.ts';
import { secretJson } from './render.ts';
import { type Method, nameOf, type Resource, type Route } from './route.ts';
import { createSecret, deleteSecret, listSecrets, type Place, secretOf, updateSecret } from './secrets.ts';
import type { GcpState, Project } from './state.ts';
import { accessVersion, addVersion, getVersion, listVersions, setVersionState } from './versions.ts';

/** The permission that each method needs. */
const permissions: Record<Method, string> = {
  ListSecrets: 'secretmanager.secrets.list',
  CreateSecret: 'secretmanager.secrets.create',
  GetSecret: 'secretmanager.secrets.get',
  UpdateSecret: 'secretmanager.secrets.update',
  DeleteSecret: 'secretmanager.secrets.delete',
  AddSecretVersion: 'secretmanager.versions.add',
  ListSecretVersions: 'secretmanager.versions.list',
  GetSecretVersion: 'secretmanager.versions.get',
  AccessSecretVersion: 'secretmanager.versions.access',
  EnableSecretVersion: 'secretmanager.versions.enable',
  DisableSecretVersion: 'secretmanager.versions.disable',
  DestroySecretVersion: 'secretmanager.versions.destroy',
};

const location = /^([a-z]+-[a-z]+\d{1,2})?$/;

export interface ApiRequest extends Route {
  query: string;
  authorization: string;
  body: Buffer;
}

/** Answers a request in the order of the real service: token, form, project, quota, permission, and what it is for. */
export function serveSecretManager(state: GcpState, quotas: Quotas, request: ApiRequest): object {
  const { method, resource } = request;
  const identity = authenticate(state, request.authorization, method);
  const query = readQuery(request.query, method);
  const project = state.project(resource.project);
  if (project === undefined) throw noProject(resource.project);
  quotas.take(method, project.number);
  if (!location.test(resource.location)) throw invalid(`Invalid location [${resource.location}].`);
  if (!state.access.allows(identity, permissions[method], project.id, resource.secret))
    throw denied(permissions[method], resource);
  return handle(placeOf(state, project, resource), state.clock.now(), request, query);
}

function placeOf(state: GcpState, project: Project, { location: at }: Resource): Place {
  const parent = `projects/${project.number}`;
  return {
    store: state.store(project, at),
    parent: at === '' ? parent : `${parent}/locations/${at}`,
    regional: at !== '',
    largestPage: state.largestPage,
  };
}

function handle(place: Place, now: number, { method, resource, body: bytes }: ApiRequest, query: Query): object {
  const { secret, version } = { secret: resource.secret ?? '', version: resource.version ?? '' };
  switch (method) {
    case 'ListSecrets':
      return listSecrets(place, query);
    case 'CreateSecret':
      return createSecret(place, query, parseBody(bytes), now);
    case 'GetSecret':
      return secretJson(secretOf(place, secret), place.parent);
    case 'UpdateSecret':
      return updateSecret(place, secret, query, parseBody(bytes), now);
    case 'DeleteSecret':
      return deleteSecret(place, secret, query);
    case 'AddSecretVersion':
      return addVersion(place, secret, parseBody(bytes), query);
    case 'ListSecretVersions':
      return listVersions(place, secret, query);
    case 'GetSecretVersion':
      return getVersion(place, secret, version, query);
    case 'AccessSecretVersion':
      return accessVersion(place, secret, version);
    case 'EnableSecretVersion':
      return setVersionState(place, secret, version, 'ENABLED', parseBody(bytes), query);
    case 'DisableSecretVersion':
      return setVersionState(place, secret, version, 'DISABLED', parseBody(bytes), query);
    case 'DestroySecretVersion':
      return setVersionState(place, secret, version, 'DESTROYED', parseBody(bytes), query);
  }
}

function denied(permission: string, resource: Resource): Refusal {
  const name = nameOf(resource);
  return new Refusal(
    'PERMISSION_DENIED',
    `Permission '${permission}' denied for resource '${name}' (or it may not exist).`,
    [errorInfo('IAM_PERMISSION_DENIED', 'iam.googleapis.com', { permission, resource: name })],
  );
}

function noProject(project: string): Refusal {
  return new Refusal('PERMISSION_DENIED', `Permission denied on resource project ${project}.`, [
    errorInfo('CONSUMER_INVALID', 'googleapis.com', {
      consumer: `projects/${project}`,
      service: 'secretmanager.googleapis.com',
    }),
  ]);
}
