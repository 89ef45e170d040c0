import type { Reply } from '../http/send.ts';
import { badParameter, conflict, failure, json, notFound } from './answer.ts';
import { bundleOf, deletedOf } from './bundle.ts';
import type { VaultOperation } from './operations.ts';
import { currentOf, type Secret, type SecretStore } from './secrets.ts';
import { readSetBody } from './set-body.ts';

const nameGrammar = /^[0-9a-zA-Z-]{1,127}$/;

interface Asked {
  name: string;
  version: string | null;
  body: Buffer;
  base: string;
}

type Route = (secrets: SecretStore, asked: Asked) => Reply;

/** Everything that is about one secret. */
export const secretRoutes: Record<
  Exclude<VaultOperation['operation'], 'GetSecrets' | 'GetSecretVersions' | 'GetDeletedSecrets'>,
  Route
> = {
  GetSecret(secrets, { name, version: id, base }) {
    const secret = live(secrets, name);
    const version = secret && (id === null ? currentOf(secret) : secret.versions.find((known) => known.id === id));
    if (!secret || !version) return notFound(id === null ? name : `${name}/${id}`);
    if (!version.enabled)
      return failure(403, 'Forbidden', 'Operation get is not allowed on a disabled secret.', 'SecretDisabled');
    return json(200, bundleOf(secret, version, base));
  },

  SetSecret(secrets, { name, body, base }) {
    if (!nameGrammar.test(name)) return badParameter(`The request URI contains an invalid name: ${name}`);
    const read = readSetBody(body, true);
    if (typeof read === 'string') return badParameter(read);
    const refused = refuseWrite(secrets, name);
    if (refused !== null) return refused;
    const { value = '', ...settings } = read;
    const version = secrets.put(name, value, settings);
    const secret = secrets.find(name);
    return secret ? json(200, bundleOf(secret, version, base)) : notFound(name);
  },

  UpdateSecret(secrets, { name, version: id, body, base }) {
    const secret = live(secrets, name);
    const version = secret && (id === null ? currentOf(secret) : secret.versions.find((known) => known.id === id));
    if (!secret || !version) return notFound(name);
    const read = readSetBody(body, false);
    if (typeof read === 'string') return badParameter(read);
    secrets.update(version, read);
    const { value: _value, ...shown } = bundleOf(secret, version, base) as { value: string };
    return json(200, shown);
  },

  DeleteSecret(secrets, { name, base }) {
    const secret = secrets.find(name);
    if (secret === undefined || secrets.phaseOf(secret) === 'deleted') return notFound(name);
    const refused = busy(secrets, secret);
    if (refused !== null) return refused;
    secrets.delete(secret);
    return json(200, deletedOf(secret, base));
  },

  GetDeletedSecret(secrets, { name, base }) {
    const secret = secrets.find(name);
    if (secret === undefined || secrets.phaseOf(secret) !== 'deleted') return deletedNotFound(name);
    return json(200, deletedOf(secret, base));
  },

  RecoverDeletedSecret(secrets, { name, base }) {
    const secret = secrets.find(name);
    if (secret === undefined || secrets.phaseOf(secret) === 'live') return deletedNotFound(name);
    const refused = busy(secrets, secret);
    if (refused !== null) return refused;
    secrets.recover(secret);
    const { value: _value, ...shown } = bundleOf(secret, currentOf(secret), base) as { value: string };
    return json(200, shown);
  },

  PurgeDeletedSecret(secrets, { name }) {
    const secret = secrets.find(name);
    if (secret === undefined || secrets.phaseOf(secret) === 'live') return deletedNotFound(name);
    const refused = busy(secrets, secret);
    if (refused !== null) return refused;
    secrets.purge(secret);
    return { status: 204 };
  },
};

function live(secrets: SecretStore, name: string): Secret | undefined {
  const secret = secrets.find(name);
  return secret !== undefined && secrets.phaseOf(secret) === 'live' ? secret : undefined;
}

function deletedNotFound(name: string): Reply {
  return failure(404, 'SecretNotFound', `Deleted Secret not found: ${name}`);
}

/** Why nothing can be done with a secret at the moment. */
function busy(secrets: SecretStore, secret: Secret): Reply | null {
  switch (secrets.phaseOf(secret)) {
    case 'deleting':
      return conflict(`Secret ${secret.name} is currently being deleted.`, 'ObjectIsBeingDeleted');
    case 'recovering':
      return conflict(`Secret ${secret.name} is currently being recovered; retry later.`, 'ObjectIsBeingRecovered');
    case 'live':
    case 'deleted':
      return null;
  }
}

function refuseWrite(secrets: SecretStore, name: string): Reply | null {
  const secret = secrets.find(name);
  if (secret === undefined) return null;
  if (secrets.phaseOf(secret) !== 'deleted') return busy(secrets, secret);
  const why = `Secret ${secret.name} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the secret can only be recovered or purged.`;
  return conflict(why, 'ObjectIsDeletedButRecoverable');
}
