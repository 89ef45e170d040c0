import { invalid, Refusal } from './answer.ts';
import { type JsonObject, membersOf } from './body.ts';
import { crc32c } from './crc32c.ts';
import { pageOf } from './page.ts';
import type { Query } from './query.ts';
import { accessJson, versionJson } from './render.ts';
import { checkEtag, type Place, secretOf } from './secrets.ts';
import type { Secret, Version, VersionState } from './store.ts';

const mostBytes = 64 * 1024;

export function addVersion(place: Place, id: string, body: JsonObject, query: Query): object {
  const { payload } = membersOf(body, '', ['payload']);
  const { data, dataCrc32c } = membersOf(payload, 'payload', ['data', 'dataCrc32c']);
  const bytes = bytesOf(data);
  if (bytes.length === 0) throw invalid('Secret Payload cannot be empty.');
  if (bytes.length > mostBytes)
    throw invalid(`Invalid argument: secret payload is ${bytes.length} bytes, the limit is ${mostBytes}.`);
  const checked = dataCrc32c !== undefined && dataCrc32c !== null;
  if (checked && String(dataCrc32c) !== String(crc32c(bytes)))
    throw invalid('The provided checksum of the payload does not match its data.');
  const secret = secretOf(place, id);
  return versionJson(secret, place.store.addVersion(secret, bytes, checked), place.parent, query.numericEnums);
}

/** Base64, in its usual or its URL-safe alphabet. */
function bytesOf(data: unknown): Buffer {
  if (data === undefined || data === null) return Buffer.alloc(0);
  if (typeof data !== 'string' || !/^[A-Za-z0-9+/_-]*={0,2}$/.test(data))
    throw invalid(`Invalid value at 'payload.data' (TYPE_BYTES), Base64 decoding failed`);
  return Buffer.from(data, 'base64');
}

export function listVersions(place: Place, id: string, query: Query): object {
  const secret = secretOf(place, id);
  if ((query.fields.filter ?? '') !== '') throw invalid('Invalid filter.');
  const all = secret.versions.toReversed();
  for (const version of all) place.store.settle(version);
  const { items, nextPageToken } = pageOf(
    all,
    ({ number }) => number,
    query,
    `${place.parent}/secrets/${id}`,
    place.largestPage,
  );
  return {
    ...(items.length > 0 && {
      versions: items.map((version) => versionJson(secret, version, place.parent, query.numericEnums)),
    }),
    ...(nextPageToken !== null && { nextPageToken }),
    ...(all.length > 0 && { totalSize: all.length }),
  };
}

function versionOf(place: Place, id: string, name: string): { secret: Secret; version: Version } {
  const secret = place.store.get(id);
  const version = secret && place.store.version(secret, name);
  if (secret === undefined || version === undefined)
    throw new Refusal('NOT_FOUND', `Secret Version [${place.parent}/secrets/${id}/versions/${name}] not found.`);
  return { secret, version };
}

export function getVersion(place: Place, id: string, name: string, query: Query): object {
  const { secret, version } = versionOf(place, id, name);
  return versionJson(secret, version, place.parent, query.numericEnums);
}

export function accessVersion(place: Place, id: string, name: string): object {
  const current = name === 'latest' && (place.store.get(id)?.versions.length ?? 0) === 0;
  if (current) throw new Refusal('NOT_FOUND', `Secret [${place.parent}/secrets/${id}] not found or has no versions.`);
  const { secret, version } = versionOf(place, id, name);
  if (version.state !== 'ENABLED') throw wrongState(place, secret, version);
  return accessJson(secret, version, place.parent);
}

export function setVersionState(
  place: Place,
  id: string,
  name: string,
  state: VersionState,
  body: JsonObject,
  query: Query,
): object {
  const { etag } = membersOf(body, '', ['etag']);
  const { secret, version } = versionOf(place, id, name);
  checkEtag(version, etag);
  if (version.state === 'DESTROYED') throw wrongState(place, secret, version);
  place.store.setState(secret, version, state);
  return versionJson(secret, version, place.parent, query.numericEnums);
}

function wrongState({ parent }: Place, secret: Secret, version: Version): Refusal {
  const name = `${parent}/secrets/${secret.id}/versions/${version.number}`;
  return new Refusal('FAILED_PRECONDITION', `Secret Version [${name}] is in ${version.state} state.`);
}
