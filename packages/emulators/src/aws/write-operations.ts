import { authorize, authorizedSecret, type Call, markedForDeletion, takeSecretId } from './call.ts';
import type { Input } from './input.ts';
import { Refusal } from './refusal.ts';
import { type Secret, type SecretContent, sameContent, seconds } from './secret.ts';
import { addVersion } from './versions.ts';

const day = 86_400_000;
const mostBytes = 65_536;

export function createSecret(call: Call): object {
  const { input, store } = call;
  const name = input.requiredText('Name', { least: 1, most: 512 });
  if (!/^[A-Za-z0-9/_+=.@!-]+$/.test(name))
    throw new Refusal(
      'ValidationException',
      'Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!',
    );
  const token = input.text('ClientRequestToken', { least: 32, most: 64 });
  const description = input.text('Description', { most: 2048 }) ?? null;
  const kmsKeyId = input.text('KmsKeyId', { most: 2048 }) ?? null;
  const tags = takeTags(input);
  const content = takeContent(input);
  input.end();
  authorize(call, 'CreateSecret', store.arnOf(name));
  if (token === undefined) throw noToken();

  const existing = store.find(name);
  if (existing !== undefined) {
    if (existing.deletesAt !== null)
      throw new Refusal(
        'InvalidRequestException',
        "You can't create this secret because a secret with this name is already scheduled for deletion.",
      );
    const same = existing.versions.get(token);
    if (same === undefined || content === null || !sameContent(same.value, content))
      throw new Refusal('ResourceExistsException', `The operation failed because the secret ${name} already exists.`);
    return { ARN: existing.arn, Name: name, VersionId: token };
  }
  const secret = Object.assign(store.create(name), { description, kmsKeyId, tags });
  if (content === null) return { ARN: secret.arn, Name: name };
  addVersion(secret, token, content, ['AWSCURRENT'], call.now);
  return { ARN: secret.arn, Name: name, VersionId: token };
}

export function putSecretValue(call: Call): object {
  const { input } = call;
  const id = takeSecretId(input);
  const token = input.text('ClientRequestToken', { least: 32, most: 64 });
  const stages = input.texts('VersionStages', { least: 1, most: 20 }) ?? ['AWSCURRENT'];
  const content = takeContent(input);
  input.end();
  const secret = writable(call, 'PutSecretValue', id);
  if (token === undefined) throw noToken();
  if (content === null)
    throw new Refusal('InvalidRequestException', 'You must provide either SecretString or SecretBinary.');
  const version = addVersion(secret, token, content, stages, call.now);
  return { ARN: secret.arn, Name: secret.name, VersionId: version.id, VersionStages: [...version.stages].sort() };
}

export function deleteSecret(call: Call): object {
  const { input, store, now } = call;
  const id = takeSecretId(input);
  const window = input.integer('RecoveryWindowInDays');
  const force = input.flag('ForceDeleteWithoutRecovery');
  input.end();
  if (force && window !== undefined)
    throw new Refusal(
      'InvalidParameterException',
      "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
    );
  if (window !== undefined && (window < 7 || window > 30))
    throw new Refusal(
      'InvalidParameterException',
      'The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).',
    );
  const secret = authorizedSecret(call, 'DeleteSecret', id);
  if (force) {
    store.destroy(secret);
    return { ARN: secret.arn, Name: secret.name, DeletionDate: seconds(now) };
  }
  if (secret.deletesAt !== null)
    throw new Refusal(
      'InvalidRequestException',
      "You can't perform this operation on the secret because it was already scheduled for deletion.",
    );
  secret.deletesAt = now + (window ?? 30) * day;
  secret.changedAt = now;
  return { ARN: secret.arn, Name: secret.name, DeletionDate: seconds(secret.deletesAt) };
}

/** Nothing happens to a secret that is not scheduled for deletion. */
export function restoreSecret(call: Call): object {
  const id = takeSecretId(call.input);
  call.input.end();
  const secret = authorizedSecret(call, 'RestoreSecret', id);
  if (secret.deletesAt !== null) secret.changedAt = call.now;
  secret.deletesAt = null;
  return { ARN: secret.arn, Name: secret.name };
}

function writable(call: Call, action: string, id: string): Secret {
  const secret = authorizedSecret(call, action, id);
  if (secret.deletesAt !== null) throw markedForDeletion();
  return secret;
}

/** Text or bytes, or null for neither. */
function takeContent(input: Input): SecretContent | null {
  const text = input.text('SecretString', { least: 1 });
  const binary = input.text('SecretBinary', { least: 1, pattern: /^[A-Za-z0-9+/]+={0,2}$/ });
  if (text !== undefined && binary !== undefined)
    throw new Refusal('InvalidParameterException', "You can't specify both SecretString and SecretBinary.");
  const bytes = text !== undefined ? Buffer.byteLength(text) : Buffer.from(binary ?? '', 'base64').length;
  if (bytes > mostBytes)
    throw new Refusal(
      'ValidationException',
      `1 validation error detected: Value at '${text === undefined ? 'secretBinary' : 'secretString'}' failed to satisfy constraint: Member must have length less than or equal to ${mostBytes}`,
    );
  if (text !== undefined) return { text };
  return binary === undefined ? null : { binary };
}

function takeTags(input: Input): Map<string, string> {
  const tags = new Map<string, string>();
  for (const tag of input.structures('Tags', { most: 50 }) ?? []) {
    const key = tag.requiredText('Key', { least: 1, most: 128, pattern: /^[\p{L}\p{Z}\p{N}_.:/=+\-@]+$/u });
    const value = tag.text('Value', { most: 256, pattern: /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u }) ?? '';
    tag.end();
    if (/^aws:/i.test(key)) throw new Refusal('InvalidParameterException', 'Tag keys must not begin with aws:.');
    if (tags.has(key)) throw new Refusal('InvalidParameterException', 'Tag keys must not be given twice.');
    tags.set(key, value);
  }
  return tags;
}

const noToken = () =>
  new Refusal(
    'InvalidRequestException',
    'You must provide a ClientRequestToken value. We recommend a UUID-type value.',
  );
