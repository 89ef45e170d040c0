import { invalid, Refusal } from './answer.ts';
import type { JsonObject } from './body.ts';
import { filterOf } from './filter.ts';
import { pageOf } from './page.ts';
import type { Query } from './query.ts';
import { etagOf, secretJson } from './render.ts';
import { checkSecretId, secretFields } from './secret-fields.ts';
import type { Secret, SecretStore } from './store.ts';

/** Where a request is for, as the handlers need it. */
export interface Place {
  store: SecretStore;
  /** `projects/<number>`, with the location of a regional one. */
  parent: string;
  regional: boolean;
  /** Most entries of a page. */
  largestPage: number;
}

function missingSecret(parent: string, id: string): Refusal {
  return new Refusal('NOT_FOUND', `Secret [${parent}/secrets/${id}] not found.`);
}

export function secretOf({ store, parent }: Place, id: string): Secret {
  const secret = store.get(id);
  if (secret === undefined) throw missingSecret(parent, id);
  return secret;
}

export function listSecrets({ store, parent, largestPage }: Place, query: Query): object {
  const { filter = '' } = query.fields;
  const matches = filterOf(filter);
  const all = store
    .ids()
    .map((id) => store.get(id))
    .filter((secret) => secret !== undefined && matches(secret)) as Secret[];
  const { items, nextPageToken } = pageOf(all, ({ createdAt }) => createdAt, query, parent, largestPage);
  return {
    ...(items.length > 0 && { secrets: items.map((secret) => secretJson(secret, parent)) }),
    ...(nextPageToken !== null && { nextPageToken }),
    // Told where no filter is; none is left out, as every number that is zero.
    ...(filter === '' && all.length > 0 && { totalSize: all.length }),
  };
}

export function createSecret({ store, parent, regional }: Place, query: Query, body: JsonObject, now: number): object {
  const { secretId = '' } = query.fields;
  if (secretId === '') throw invalid('The secret_id field is required.');
  checkSecretId(secretId);
  const settings = secretFields(body, now);
  if (regional && settings.replication !== undefined)
    throw invalid('Replication must not be set for regional secrets.');
  if (!regional && settings.replication === undefined) throw invalid('Replication must be set.');
  if (settings.versionAliases !== undefined && Object.keys(settings.versionAliases).length > 0)
    throw invalid('Version aliases can not be set when a secret is created.');
  if (store.get(secretId) !== undefined)
    throw new Refusal('ALREADY_EXISTS', `Secret [${parent}/secrets/${secretId}] already exists.`);
  return secretJson(store.create(secretId, { ...settings, ...(regional && { replication: null }) }), parent);
}

/** Fields that an update mask may name, and what of a secret each is. */
const updatable: Record<string, keyof Secret> = {
  labels: 'labels',
  annotations: 'annotations',
  version_aliases: 'versionAliases',
  versionAliases: 'versionAliases',
  expire_time: 'expiresAt',
  expireTime: 'expiresAt',
  ttl: 'expiresAt',
};

export function updateSecret(place: Place, id: string, query: Query, body: JsonObject, now: number): object {
  const { updateMask = '' } = query.fields;
  const secret = secretOf(place, id);
  checkEtag(secret, body.etag);
  const settings = secretFields(body, now);
  const fields = updateMask.split(',').filter((field) => field !== '');
  if (fields.length === 0) throw invalid('The update_mask field is required.');
  const none = { labels: {}, annotations: {}, versionAliases: {}, expiresAt: null };
  for (const field of fields) {
    const member = updatable[field];
    if (member === undefined) throw invalid(`The field [${field}] can not be updated.`);
    Object.assign(secret, { [member]: { ...none, ...settings }[member as keyof typeof none] });
  }
  for (const number of Object.values(secret.versionAliases))
    if (secret.versions[number - 1] === undefined) throw invalid(`The version [${number}] of an alias does not exist.`);
  place.store.touch(secret);
  return secretJson(secret, place.parent);
}

export function deleteSecret(place: Place, id: string, query: Query): object {
  const secret = secretOf(place, id);
  checkEtag(secret, query.fields.etag);
  place.store.delete(id);
  return {};
}

/** An etag that was sent must be that of now. */
export function checkEtag(resource: { etag: number }, sent: unknown): void {
  if (sent !== undefined && sent !== '' && sent !== etagOf(resource))
    throw new Refusal('FAILED_PRECONDITION', 'The etag provided in the request does not match the current etag.');
}
