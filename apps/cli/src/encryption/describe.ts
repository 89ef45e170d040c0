import type { EncryptionAnswer } from '@keyferry/contracts';
import { plural, relative } from '../output/format.ts';
import type { Output } from '../output/output.ts';
import { table } from '../output/table.ts';

export function encryptionText(output: Output, answer: EncryptionAnswer): string {
  const now = new Date();
  const masterKeys = table(
    output,
    ['MASTER KEY', 'HELD AS', '', 'DATA KEYS', 'SINCE'],
    answer.master_keys.map((key) => [
      key.id,
      key.kind ?? 'not held',
      key.current ? 'current' : key.data_keys === 0 ? 'needed no longer' : 'still needed',
      key.data_keys,
      relative(key.created_at, now),
    ]),
  );
  const dataKeys = table(
    output,
    ['DATA KEY', 'FOR', 'STATE', 'MASTER KEY', 'SINCE', 'LEFT TO SEAL ANEW'],
    answer.data_keys.map((key) => [
      key.id,
      key.purpose === 'data' ? 'values' : 'digests',
      key.state,
      key.master_key_id,
      relative(key.current_from, now),
      key.ciphertexts,
    ]),
  );
  const left = answer.tenants_to_rewrap;
  const told =
    left === 0 ? 'A rewrap has nothing to do.' : `A rewrap has something to do for ${plural(left, 'tenant')}.`;
  return [masterKeys, dataKeys, told].join('\n\n');
}
