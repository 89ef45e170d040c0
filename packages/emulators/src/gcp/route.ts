/** The service's methods, by their names in its API. */
export type Method =
  | 'ListSecrets'
  | 'CreateSecret'
  | 'GetSecret'
  | 'UpdateSecret'
  | 'DeleteSecret'
  | 'AddSecretVersion'
  | 'ListSecretVersions'
  | 'GetSecretVersion'
  | 'AccessSecretVersion'
  | 'EnableSecretVersion'
  | 'DisableSecretVersion'
  | 'DestroySecretVersion';

/** A resource as a URL names it. */
export interface Resource {
  project: string;
  /** Empty for a global one. */
  location: string;
  secret: string | null;
  version: string | null;
}

export interface Route {
  method: Method;
  resource: Resource;
}

const resourcePath =
  /^\/v1\/projects\/(?<project>[^/]+)(?:\/locations\/(?<location>[^/]+))?\/secrets(?:\/(?<secret>[^/]+)(?<versions>\/versions(?:\/(?<version>[^/]+))?)?)?$/;

const methods: Record<string, Method> = {
  'GET secrets': 'ListSecrets',
  'POST secrets': 'CreateSecret',
  'GET secret': 'GetSecret',
  'PATCH secret': 'UpdateSecret',
  'DELETE secret': 'DeleteSecret',
  'POST secret:addVersion': 'AddSecretVersion',
  'GET versions': 'ListSecretVersions',
  'GET version': 'GetSecretVersion',
  'GET version:access': 'AccessSecretVersion',
  'POST version:enable': 'EnableSecretVersion',
  'POST version:disable': 'DisableSecretVersion',
  'POST version:destroy': 'DestroySecretVersion',
};

/** Which method a request is for; null if none of this service. `path` is as it came, percent-encoded. */
export function routeOf(verb: string, path: string): Route | null {
  const colon = path.indexOf(':', path.lastIndexOf('/'));
  const action = colon === -1 ? '' : path.slice(colon);
  const groups = resourcePath.exec(colon === -1 ? path : path.slice(0, colon))?.groups;
  if (groups === undefined) return null;
  const { project = '', location = '', secret, versions, version } = groups;
  const kind =
    version !== undefined
      ? 'version'
      : versions !== undefined
        ? 'versions'
        : secret !== undefined
          ? 'secret'
          : 'secrets';
  const method = methods[`${verb} ${kind}${action}`];
  const parts = [project, location, secret, version].map((part) => (part === undefined ? null : decode(part)));
  if (method === undefined || parts.includes(undefined)) return null;
  return {
    method,
    resource: {
      project: parts[0] ?? '',
      location: parts[1] ?? '',
      secret: parts[2] ?? null,
      version: parts[3] ?? null,
    },
  };
}

/** Undefined for what is no percent-encoding. */
function decode(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}

/** As the URL named it. */
export function nameOf({ project, location, secret, version }: Resource): string {
  const parent = location === '' ? `projects/${project}` : `projects/${project}/locations/${location}`;
  const owner = secret === null ? parent : `${parent}/secrets/${secret}`;
  return version === null ? owner : `${owner}/versions/${version}`;
}
