import { randomInt } from 'node:crypto';

export interface SecretVersion {
  id: string;
  /** Milliseconds since the epoch. */
  createdAt: number;
  /** Labels, such as AWSCURRENT. One without any is deprecated. */
  stages: Set<string>;
  value: SecretContent;
}

/** What is stored: text, or base64 of bytes. */
export type SecretContent = { text: string } | { binary: string };

export interface Secret {
  name: string;
  arn: string;
  /** The place in the order of a listing. */
  sequence: number;
  description: string | null;
  kmsKeyId: string | null;
  /** Whether its key can't be used any more. */
  undecryptable: boolean;
  createdAt: number;
  changedAt: number;
  /** When it will be gone, if it is scheduled for deletion. */
  deletesAt: number | null;
  tags: Map<string, string>;
  /** By id, oldest first. */
  versions: Map<string, SecretVersion>;
}

const suffixCharacters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** An ARN ends in six random characters, so that a secret of the same name is another one later. */
export function newSuffix(): string {
  return Array.from({ length: 6 }, () => suffixCharacters[randomInt(suffixCharacters.length)]).join('');
}

export function versionAt(secret: Secret, stage: string): SecretVersion | undefined {
  for (const version of secret.versions.values()) if (version.stages.has(stage)) return version;
  return undefined;
}

/** Puts a label on a version, from wherever it was. What was current before becomes AWSPREVIOUS. */
export function label(secret: Secret, version: SecretVersion, stage: string): void {
  const before = versionAt(secret, stage);
  if (before === version) return;
  before?.stages.delete(stage);
  version.stages.add(stage);
  if (stage === 'AWSCURRENT' && before !== undefined) label(secret, before, 'AWSPREVIOUS');
}

/** Labels by version, without versions that have none. */
export function stagesByVersion(secret: Secret): Record<string, string[]> {
  const labelled = [...secret.versions.values()].filter(({ stages }) => stages.size > 0);
  return Object.fromEntries(labelled.map(({ id, stages }) => [id, [...stages].sort()]));
}

export const seconds = (milliseconds: number): number => milliseconds / 1000;

export const sameContent = (a: SecretContent, b: SecretContent): boolean => JSON.stringify(a) === JSON.stringify(b);
