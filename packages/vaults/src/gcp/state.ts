import type { protos } from '@google-cloud/secret-manager';
import { earlier, timeOf } from '../common/expiry-tag.ts';
import type { ListedFacts, SecretVersion } from '../contract.ts';

export type Secret = protos.google.cloud.secretmanager.v1.ISecret;
export type Version = protos.google.cloud.secretmanager.v1.ISecretVersion;
type Timestamp = protos.google.protobuf.ITimestamp;

/**
 * Labels and annotations together, and the end of the secret: its own, or what is written under `expires_at`, whichever
 * comes first. Where both have a name, the label keeps it.
 */
export function factsOf({ labels, annotations, expireTime, createTime }: Secret): ListedFacts {
  const metadata: Record<string, string> = { ...labels };
  for (const [name, value] of Object.entries(annotations ?? {}))
    metadata[Object.hasOwn(metadata, name) ? `annotation:${name}` : name] = value;
  const written = earlier(timeOf(labels?.expires_at), timeOf(annotations?.expires_at));
  const expiresAt = earlier(dateOf(expireTime), written)?.toISOString() ?? null;
  return { metadata, expiresAt, version: null, since: dateOf(createTime)?.toISOString() ?? null };
}

/** A time as the SDK gives it, to the millisecond. */
export function dateOf(time: Timestamp | null | undefined): Date | null {
  if (time?.seconds === null || time?.seconds === undefined) return null;
  return new Date(Number(time.seconds) * 1_000 + Math.floor((time.nanos ?? 0) / 1e6));
}

/** What can be read of a version. One that waits for its destruction is deleted, though it could be brought back. */
export function stateOf({ state, scheduledDestroyTime }: Version): SecretVersion['state'] | null {
  switch (state) {
    case 'ENABLED':
    case 1:
      return 'available';
    case 'DISABLED':
    case 2:
      return dateOf(scheduledDestroyTime) === null ? 'disabled' : 'deleted';
    case 'DESTROYED':
    case 3:
      return 'destroyed';
    default:
      return null;
  }
}
