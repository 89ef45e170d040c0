import { KeyferryError } from '@keyferry/core';

/** Members of `auth` by method, each with the other names that Azure's own documents give them. */
const members: Record<string, Record<string, readonly string[]>> = {
  client_secret: {
    tenant_id: ['tenantId', 'tenant'],
    client_id: ['clientId', 'appId'],
    client_secret: ['clientSecret', 'password'],
  },
  certificate: {
    tenant_id: ['tenantId', 'tenant'],
    client_id: ['clientId', 'appId'],
    certificate: [],
    private_key: ['privateKey'],
    send_chain: ['sendChain'],
  },
  workload_identity: {
    tenant_id: ['tenantId', 'tenant'],
    client_id: ['clientId', 'appId'],
    token: [],
    token_file: ['tokenFilePath'],
  },
  managed_identity: { client_id: ['clientId'], object_id: ['objectId'], resource_id: ['resourceId'] },
};

/**
 * A JSON object of members under our names, those of `az ad sp create-for-rbac` or those of the SDKs, of which the rest
 * is left aside; or the one credential of the method as it is: a client secret, PEM, a JSON web token.
 */
export function readCredentials(method: string, text: string): Record<string, unknown> {
  const trimmed = text.trim();
  const known = members[method];
  if (known === undefined) throw refused(`The method ${method} takes no credentials`);
  if (trimmed.startsWith('{')) return membersOf(known, parse(trimmed));
  if (method === 'client_secret' && trimmed !== '') return { client_secret: text };
  if (method === 'certificate' && /^-----BEGIN |\n-----BEGIN /.test(trimmed)) return { certificate: text };
  if (method === 'workload_identity' && /^[\w-]+\.[\w-]+\.[\w-]+$/.test(trimmed)) return { token: text };
  throw refused(`The document holds no credentials of the method ${method}`);
}

function membersOf(known: Record<string, readonly string[]>, document: object): Record<string, unknown> {
  const given = new Map(Object.entries(document));
  const found: [string, unknown][] = [];
  for (const [name, others] of Object.entries(known)) {
    const called = [name, ...others].find((candidate) => given.get(candidate) != null);
    if (called !== undefined) found.push([name, given.get(called)]);
  }
  if (found.length === 0) throw refused(`The document has none of ${Object.keys(known).join(', ')}`);
  return Object.fromEntries(found);
}

function parse(text: string): object {
  try {
    return JSON.parse(text) as object;
  } catch {
    throw refused('The document begins like JSON, and is none that can be read');
  }
}

function refused(why: string): KeyferryError {
  return new KeyferryError('config_invalid', `${why}.`);
}
