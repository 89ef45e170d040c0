import { invalid } from './answer.ts';
import { type JsonObject, membersOf, textsOf } from './body.ts';
import { parseDuration, parseTime } from './clock.ts';
import type { SecretSettings } from './store.ts';

/** Members of a Secret that a client may write. */
const writable = [
  'name',
  'createTime',
  'replication',
  'labels',
  'annotations',
  'topics',
  'expireTime',
  'ttl',
  'rotation',
  'etag',
  'versionAliases',
  'versionDestroyTtl',
  'customerManagedEncryption',
  'tags',
  'secretType',
  'policyMember',
] as const;

const secretId = /^[A-Za-z0-9_-]{1,255}$/;
const labelKey = /^[\p{Ll}\p{Lo}][\p{Ll}\p{Lo}\p{N}_-]{0,62}$/u;
const labelValue = /^[\p{Ll}\p{Lo}\p{N}_-]{0,63}$/u;
const annotationKey = /^[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?$/;
const aliasName = /^[A-Za-z][A-Za-z0-9_-]{0,62}$/;

const mostLabels = 64;
const mostAnnotationBytes = 16 * 1024;
const leastTtl = 60 * 1e6;

export function checkSecretId(id: string): void {
  if (!secretId.test(id))
    throw invalid(`The provided Secret ID [${id}] does not match the expected format [[a-zA-Z_0-9]+].`);
}

/** What a client wrote of a Secret, as far as it is there. Throws for what the service refuses. */
export function secretFields(body: JsonObject, now: number): SecretSettings & JsonObject {
  const given = membersOf(body, 'secret', writable);
  const settings: SecretSettings = {};
  if (given.labels !== undefined) settings.labels = labelsOf(given.labels);
  if (given.annotations !== undefined) settings.annotations = annotationsOf(given.annotations);
  if (given.versionAliases !== undefined) settings.versionAliases = aliasesOf(given.versionAliases);
  if (given.replication !== undefined) settings.replication = replicationOf(given.replication);
  if (given.versionDestroyTtl !== undefined)
    settings.versionDestroyTtl = durationOf(given.versionDestroyTtl, 'secret.version_destroy_ttl');
  if (given.ttl !== undefined && given.expireTime !== undefined)
    throw invalid('Only one of expire_time and ttl can be set.');
  if (given.ttl !== undefined) settings.expiresAt = now * 1_000 + durationOf(given.ttl, 'secret.ttl');
  if (given.expireTime !== undefined) settings.expiresAt = expiryOf(given.expireTime, now);
  return settings;
}

function labelsOf(value: unknown): Record<string, string> {
  const labels = textsOf(value, 'secret.labels');
  if (Object.keys(labels).length > mostLabels) throw invalid(`A Secret can't have more than ${mostLabels} labels.`);
  for (const [key, label] of Object.entries(labels))
    if (
      !labelKey.test(key) ||
      Buffer.byteLength(key) > 128 ||
      !labelValue.test(label) ||
      Buffer.byteLength(label) > 128
    )
      throw invalid(`The label with key [${key}] is not valid.`);
  return labels;
}

function annotationsOf(value: unknown): Record<string, string> {
  const annotations = textsOf(value, 'secret.annotations');
  let size = 0;
  for (const [key, annotation] of Object.entries(annotations)) {
    if (!annotationKey.test(key)) throw invalid(`The annotation with key [${key}] is not valid.`);
    size += Buffer.byteLength(key) + Buffer.byteLength(annotation);
  }
  if (size > mostAnnotationBytes) throw invalid('The total size of annotations must be at most 16KiB.');
  return annotations;
}

function aliasesOf(value: unknown): Record<string, number> {
  const aliases = Object.entries(membersOf(value, 'secret.version_aliases', Object.keys(Object(value))));
  return Object.fromEntries(
    aliases.map(([name, version]) => {
      if (!aliasName.test(name) || name === 'latest') throw invalid(`The version alias [${name}] is not valid.`);
      return [name, Number(version)];
    }),
  );
}

function replicationOf(value: unknown): object {
  const replication = membersOf(value, 'secret.replication', ['automatic', 'userManaged']);
  if (Object.keys(replication).length !== 1) throw invalid('Exactly one replication policy must be provided.');
  return replication;
}

function durationOf(value: unknown, where: string): number {
  const duration = parseDuration(value);
  if (duration === null) throw invalid(`Invalid value at '${where}' (type.googleapis.com/google.protobuf.Duration)`);
  if (duration < leastTtl) throw invalid(`The value of ${where} must be at least 60 seconds.`);
  return duration;
}

function expiryOf(value: unknown, now: number): number {
  const time = parseTime(value);
  if (time === null)
    throw invalid("Invalid value at 'secret.expire_time' (type.googleapis.com/google.protobuf.Timestamp)");
  if (time < now * 1_000 + leastTtl)
    throw invalid('The expire_time of a Secret must be at least 60 seconds in the future.');
  return time;
}
