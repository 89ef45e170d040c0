import { type Federation, KeyferryError, type Place, parseFederation } from '@keyferry/core';
import type { Backend } from '@keyferry/store';

/** A backend with what its settings say of paths. */
export interface FederatedBackend {
  backend: Backend;
  federation: Federation;
}

export const federate = (backends: readonly Backend[]): FederatedBackend[] =>
  backends.map((backend) => ({ backend, federation: parseFederation(backend) }));

export interface PlaceIn extends Place {
  backend: Backend;
}

/**
 * Where a local path leads: null where no backend federates it. What a rule of path_mapping names goes before what merely
 * has the same name. The backend that has a key of this path already is the caller's business, and goes before all.
 * Throws `path_contested` where more than one would have it.
 */
export function placeAmong(backends: readonly FederatedBackend[], localPath: string): PlaceIn | null {
  const places = backends.flatMap(({ backend, federation }) => {
    const place = federation.placeOf(localPath);
    return place ? [{ backend, ...place }] : [];
  });
  const mapped = places.filter((place) => place.mapped);
  const [first, second] = mapped.length > 0 ? mapped : places;
  if (first && second) {
    const names = `"${first.backend.name}" and "${second.backend.name}"`;
    throw new KeyferryError('path_contested', `"${localPath}" would be a path of ${names}.`);
  }
  return first ?? null;
}
