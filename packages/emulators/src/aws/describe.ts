import { type Secret, seconds, stagesByVersion } from './secret.ts';

/** A secret as a listing shows it, with what orders and filters it. */
export interface ListedSecret {
  sequence: number;
  name: string;
  deleted: boolean;
  tags: ReadonlyMap<string, string>;
  description: string;
  /** As it goes out. */
  entry: object;
}

export function describeListed(secret: Secret): ListedSecret {
  return {
    sequence: secret.sequence,
    name: secret.name,
    deleted: secret.deletesAt !== null,
    tags: new Map(secret.tags),
    description: secret.description ?? '',
    entry: { ...describeCommon(secret), SecretVersionsToStages: stagesByVersion(secret) },
  };
}

export function describeSecret(secret: Secret): object {
  return { ...describeCommon(secret), VersionIdsToStages: stagesByVersion(secret) };
}

/** Members that don't apply are left out, dates are seconds since the epoch. */
function describeCommon({ name, arn, description, kmsKeyId, createdAt, changedAt, deletesAt, tags }: Secret): object {
  return {
    ARN: arn,
    Name: name,
    ...(description !== null && { Description: description }),
    ...(kmsKeyId !== null && { KmsKeyId: kmsKeyId }),
    CreatedDate: seconds(createdAt),
    LastChangedDate: seconds(changedAt),
    ...(deletesAt !== null && { DeletedDate: seconds(deletesAt) }),
    ...(tags.size > 0 && { Tags: [...tags].map(([Key, Value]) => ({ Key, Value })) }),
  };
}
