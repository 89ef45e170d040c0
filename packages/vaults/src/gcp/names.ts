import { vaultFailure } from '@keyferry/core';
import { slashedNames } from '../common/slashed-names.ts';
import type { GcpConfig } from './config.ts';

/** What a resource name in an answer is made of. */
export interface ResourceName {
  /** The project's number. */
  project: string;
  secret: string;
  version: string | null;
}

export interface Names {
  /** What holds the secrets: the project, or a location of it. */
  parent: string;
  pathOf(secret: string): string;
  /** The id of the secret at a path. Throws `vault_invalid` for a path that none can have; `what` is attempted on it. */
  secretOf(path: string, what: string): string;
  /** The resource of a secret, and of one of its versions. */
  secret(id: string): string;
  version(id: string, version: string): string;
}

const idGrammar = /^[A-Za-z0-9_-]{1,255}$/;

export function createNames({ project_id, location, separator }: GcpConfig): Names {
  const { pathOf, nameOf } = slashedNames(separator);
  const parent = location === undefined ? `projects/${project_id}` : `projects/${project_id}/locations/${location}`;
  const secret = (id: string) => `${parent}/secrets/${id}`;
  return {
    parent,
    pathOf,
    secretOf(path, what) {
      const id = nameOf(path);
      if (id !== null && idGrammar.test(id)) return id;
      throw vaultFailure('invalid', `Could not ${what}: no secret can have that name in Google Secret Manager.`);
    },
    secret,
    version: (id, version) => `${secret(id)}/versions/${version}`,
  };
}

const resource =
  /^projects\/(?<project>[^/]+)(\/locations\/[^/]+)?\/secrets\/(?<secret>[A-Za-z0-9_-]{1,255})(\/versions\/(?<version>\d+))?$/;

/** Null for what is no name of a secret or of a version. */
export function readName(name: string | null | undefined): ResourceName | null {
  const groups = resource.exec(name ?? '')?.groups;
  if (groups === undefined) return null;
  return { project: groups.project ?? '', secret: groups.secret ?? '', version: groups.version ?? null };
}
