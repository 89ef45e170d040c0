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
 * Where a local path may lead: more than one place where it is contested. What a rule of path_mapping names goes before what
 * merely has the same name. The backend that has a key of this path already is the caller's business, and goes before all.
 */
export function placesAmong(backends: readonly FederatedBackend[], localPath: string): PlaceIn[] {
  const places = backends.flatMap(({ backend, federation }) => {
    const place = federation.placeOf(localPath);
    return place ? [{ backend, ...place }] : [];
  });
  const mapped = places.filter((place) => place.mapped);
  return mapped.length > 0 ? mapped : places;
}

/** The one place that a local path leads to: null where no backend federates it. Throws `path_contested`. */
export function placeAmong(backends: readonly FederatedBackend[], localPath: string): PlaceIn | null {
  const [first, second] = placesAmong(backends, localPath);
  if (first && second) {
    const names = `"${first.backend.name}" and "${second.backend.name}"`;
    throw new KeyferryError('path_contested', `"${localPath}" would be a path of ${names}.`);
  }
  return first ?? null;
}
