import { Refusal } from './refusal.ts';
import { label, type Secret, type SecretContent, type SecretVersion, sameContent } from './secret.ts';

const day = 86_400_000;

/** Versions without labels are removed beyond so many, but not within a day of their making. */
const mostVersions = 100;

/**
 * A new version with these labels. The same token with the same content is the same write again; with another content
 * it is refused. The first version of a secret is current, whatever its labels.
 */
export function addVersion(
  secret: Secret,
  token: string,
  value: SecretContent,
  stages: readonly string[],
  now: number,
): SecretVersion {
  const known = secret.versions.get(token);
  if (known !== undefined) {
    if (sameContent(known.value, value)) return known;
    throw new Refusal(
      'ResourceExistsException',
      `You can't use ClientRequestToken ${token} because that value is already in use for a version of secret ${secret.arn}.`,
    );
  }
  prune(secret, now);
  if (secret.versions.size >= mostVersions)
    throw new Refusal('LimitExceededException', 'The request failed because it would exceed the quota for versions.');
  const version: SecretVersion = { id: token, createdAt: now, stages: new Set(), value };
  const first = secret.versions.size === 0;
  secret.versions.set(token, version);
  for (const stage of first ? new Set(['AWSCURRENT', ...stages]) : stages) label(secret, version, stage);
  secret.changedAt = now;
  return version;
}

function prune(secret: Secret, now: number): void {
  for (const { id, stages, createdAt } of secret.versions.values()) {
    if (secret.versions.size < mostVersions) return;
    if (stages.size === 0 && createdAt <= now - day) secret.versions.delete(id);
  }
}
