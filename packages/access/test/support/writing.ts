import { KeyferryError, SecretValue } from '@keyferry/core';
import type { Backend } from '@keyferry/store';
import { type House, openHouse } from '@keyferry/testing/support/house.ts';
import { builtInVaults } from '@keyferry/vaults';
import { deleteSecret, type PutRequest, putSecret, type WriteServices } from '../../src/index.ts';

type Options = Partial<Pick<PutRequest, 'ifMatch' | 'ifNoneMatch' | 'idempotencyKey' | 'by' | 'ownedFor'>>;

export interface WritingHouse extends House {
  writer: WriteServices;
  put(path: string, value: string | Buffer, options?: Options): ReturnType<typeof putSecret>;
  remove(path: string, options?: Options): ReturnType<typeof deleteSecret>;
  addWritable(settings?: Partial<Parameters<House['addBackend']>[0]>): Promise<Backend>;
  /** What the key's row has, of which answers show only a part. */
  row(path: string): Promise<Record<string, unknown> | undefined>;
  intents(): Promise<unknown[]>;
  audited(action: string): Promise<unknown[]>;
}

/** A house with what writes through Keyferry. */
export async function openWritingHouse(...options: Parameters<typeof openHouse>): Promise<WritingHouse> {
  const house = await openHouse(...options);
  const writer: WriteServices = { ...house.services, registry: builtInVaults };
  const request = (path: string, given: Options) => ({
    tenantId: house.tenantId,
    path,
    by: 'somebody',
    ifMatch: null,
    ifNoneMatch: null,
    idempotencyKey: null,
    ...given,
  });
  return {
    ...house,
    writer,
    put: (path, value, given = {}) =>
      putSecret(writer, { ...request(path, given), value: new SecretValue(Buffer.from(value)) }),
    remove: (path, given = {}) => deleteSecret(writer, request(path, given)),
    addWritable: (settings = {}) =>
      house.addBackend({ access_mode: 'read_and_write', writes: 'write_through', ...settings }),
    row: (path) =>
      house.read((tx) => tx.selectFrom('keys').selectAll().where('local_path', '=', path).executeTakeFirst()),
    intents: () => house.read((tx) => tx.selectFrom('write_intents').selectAll().execute()),
    audited: (action) =>
      house.read((tx) =>
        tx
          .selectFrom('audit_log')
          .select(['actor', 'target', 'details'])
          .where('action', '=', action)
          .orderBy('batch')
          .orderBy('place')
          .execute(),
      ),
  };
}

/** The code that a promise rejects with. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => new Error('it did not fail'),
    (thrown: unknown) => thrown,
  );
  if (error instanceof KeyferryError) return error.code;
  throw error;
}
