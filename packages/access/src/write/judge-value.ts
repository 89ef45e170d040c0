import {
  isErrorCode,
  KeyferryError,
  type KeyType,
  maxValueBytes,
  type Problem,
  type SecretValue,
} from '@keyferry/core';
import type { TenantKeys } from '@keyferry/store';
import { judgeBy } from '@keyferry/validation';
import { contentTypeOf, heldValue, type VaultRegistry, vaultOfKind } from '@keyferry/vaults';
import type { WriteTarget } from './target.ts';

/** A value as it is stored, which is as the vault would be read to hold it. */
export interface JudgedValue {
  value: SecretValue;
  digest: Buffer;
  type: KeyType;
  contentType: string;
}

/**
 * A given value, checked by all that a cycle would check it by. Throws `value_too_large`, `value_not_writable`, or, where a
 * rule rejects it, the rule's problem.
 */
export function judgeValue(
  given: SecretValue,
  { backend, localPath, key }: WriteTarget,
  { registry, keys }: { registry: VaultRegistry; keys: TenantKeys },
): JudgedValue {
  refuseTooLarge(localPath, given);
  const value = heldValue(vaultOfKind(registry, backend.kind).capabilities.values, localPath, given);
  refuseTooLarge(localPath, value);
  const judgement = judgeBy(backend.validation_rules).judge(localPath, value.reveal(), key?.metadata.type);
  const [problem] = judgement.problems;
  if (judgement.rejected && problem) throw refusalOf(problem);
  return describeValue(value, judgement.type, keys);
}

export function describeValue(value: SecretValue, type: KeyType, keys: TenantKeys): JudgedValue {
  const bytes = value.reveal();
  return { value, digest: keys.digest(bytes), type, contentType: contentTypeOf(bytes) };
}

function refuseTooLarge(path: string, { size }: SecretValue): void {
  if (size > maxValueBytes)
    throw new KeyferryError('value_too_large', `The value for "${path}" has ${size} bytes, more than a key may have.`);
}

function refusalOf({ code, message }: Problem): KeyferryError {
  if (!isErrorCode(code)) throw new Error(`Validation tells of "${code}", which the catalogue lacks.`);
  return new KeyferryError(code, message);
}
