import { authorize, authorizedSecret, type Call, checkId, markedForDeletion, takeSecretId } from './call.ts';
import { describeSecret } from './describe.ts';
import { Refusal } from './refusal.ts';
import { type Secret, type SecretVersion, seconds, versionAt } from './secret.ts';

export function describe(call: Call): object {
  const id = takeSecretId(call.input);
  call.input.end();
  return describeSecret(authorizedSecret(call, 'DescribeSecret', id));
}

export function getSecretValue(call: Call): object {
  const id = takeSecretId(call.input);
  const versionId = call.input.text('VersionId', { least: 32, most: 64 });
  const stage = call.input.text('VersionStage', { least: 1, most: 256 });
  call.input.end();
  return read(authorizedSecret(call, 'GetSecretValue', id), versionId, stage);
}

function read(secret: Secret, versionId?: string, stage?: string): object {
  if (secret.deletesAt !== null) throw markedForDeletion();
  const version = pick(secret, versionId, stage);
  if (secret.undecryptable)
    throw new Refusal(
      'DecryptionFailure',
      "Secrets Manager can't decrypt the protected secret text using the provided KMS key.",
    );
  const { text, binary } = { text: undefined, binary: undefined, ...version.value };
  return {
    ARN: secret.arn,
    Name: secret.name,
    VersionId: version.id,
    ...(text !== undefined && { SecretString: text }),
    ...(binary !== undefined && { SecretBinary: binary }),
    VersionStages: [...version.stages].sort(),
    CreatedDate: seconds(version.createdAt),
  };
}

function pick(secret: Secret, versionId: string | undefined, stage: string | undefined): SecretVersion {
  const wanted = stage ?? (versionId === undefined ? 'AWSCURRENT' : undefined);
  const version = versionId === undefined ? versionAt(secret, wanted ?? '') : secret.versions.get(versionId);
  if (version === undefined) {
    const which = versionId === undefined ? `staging label: ${wanted}` : `VersionId: ${versionId}`;
    throw new Refusal(
      'ResourceNotFoundException',
      `Secrets Manager can't find the specified secret value for ${which}`,
    );
  }
  if (stage !== undefined && !version.stages.has(stage))
    throw new Refusal(
      'InvalidRequestException',
      'You provided a VersionStage that is not associated to the provided VersionId.',
    );
  return version;
}

/** Secrets by name, some at a time, each with its own outcome. By filter is left out. */
export function batchGetSecretValue(call: Call): object {
  const { input, store, pageTokens } = call;
  const ids = input.texts('SecretIdList', { least: 1, most: 20 });
  const nextToken = input.text('NextToken', { least: 1, most: 4096 });
  input.end();
  if (ids === undefined)
    throw new Refusal(
      'InvalidParameterException',
      "Either 'SecretIdList' or 'Filters' must be provided, but not both.",
    );
  for (const id of ids) checkId(id);
  authorize(call, 'BatchGetSecretValue', '*');
  if (new Set(ids).size < ids.length)
    throw new Refusal('InvalidParameterException', 'The SecretIdList contains duplicate values.');

  const values: object[] = [];
  const errors: object[] = [];
  let bytes = 0;
  let position = nextToken === undefined ? 0 : pageTokens.redeem(ids, nextToken);
  for (; position < ids.length && bytes < call.batchBytes; position++) {
    const id = ids[position] ?? '';
    try {
      values.push(read(authorizedSecret(call, 'GetSecretValue', id)));
      bytes += sizeOf(store.find(id));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      errors.push({ SecretId: id, ErrorCode: error.code, Message: error.message });
    }
  }
  const more = position < ids.length ? { NextToken: pageTokens.issue(ids, position) } : {};
  return { SecretValues: values, Errors: errors, ...more };
}

function sizeOf(secret: Secret | undefined): number {
  const version = secret && versionAt(secret, 'AWSCURRENT');
  return version === undefined ? 0 : JSON.stringify(version.value).length;
}

export function listSecretVersionIds(call: Call): object {
  const { input, pageTokens } = call;
  const id = takeSecretId(input);
  const most = input.integer('MaxResults', { least: 1, most: 100 }) ?? 100;
  const nextToken = input.text('NextToken', { least: 1, most: 4096 });
  const includeDeprecated = input.flag('IncludeDeprecated');
  input.end();
  const secret = authorizedSecret(call, 'ListSecretVersionIds', id);
  const shown = [...secret.versions.values()].filter(({ stages }) => includeDeprecated || stages.size > 0);
  const query = [secret.arn, most, includeDeprecated];
  const from = nextToken === undefined ? 0 : pageTokens.redeem(query, nextToken);
  const page = shown.slice(from, from + most);
  return {
    ARN: secret.arn,
    Name: secret.name,
    Versions: page.map(({ id: VersionId, createdAt, stages }) => ({
      VersionId,
      CreatedDate: seconds(createdAt),
      KmsKeyIds: [secret.kmsKeyId ?? 'DefaultEncryptionKey'],
      ...(stages.size > 0 && { VersionStages: [...stages].sort() }),
    })),
    ...(from + most < shown.length && { NextToken: pageTokens.issue(query, from + most) }),
  };
}
