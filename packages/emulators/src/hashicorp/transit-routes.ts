import { type Answer, failure, noContent, notFound, unsupportedOperation, unsupportedPath } from './answer.ts';
import { canonicalJson, toInteger } from './json.ts';
import type { VaultRequest } from './request.ts';
import { isBase64, type TransitBinding, type TransitKey, TransitRefusal, type TransitStore } from './transit-store.ts';

const keyPath = /^keys\/([\w-][\w.-]*)(?:\/(rotate|config))?$/;
const cipherPath = /^(encrypt|decrypt)\/([\w-][\w.-]*)$/;

/** Whether encrypting by this path would make a key: such a request is a `create`. */
export function createsKey(store: TransitStore, path: string): boolean {
  const [, action, name = ''] = cipherPath.exec(path) ?? [];
  return action === 'encrypt' && !store.keys.has(name);
}

/** Answers a request below a transit mount; `path` is relative to the mount. One value a request: no batches. */
export function serveTransit(store: TransitStore, request: VaultRequest, path: string): Answer {
  const [, action, cipherName = ''] = cipherPath.exec(path) ?? [];
  const [, keyName = '', act] = keyPath.exec(path) ?? [];
  const { operation } = request;
  const writes = operation === 'update' || operation === 'create';
  try {
    if (action !== undefined) {
      if (!writes) return unsupportedOperation;
      return action === 'encrypt' ? encrypt(store, request, cipherName) : decrypt(store, request, cipherName);
    }
    if (keyName === '') return unsupportedPath;
    if (act !== undefined) return writes ? change(store, request, keyName, act) : unsupportedOperation;
    return serveKey(store, request, keyName);
  } catch (error) {
    if (error instanceof TransitRefusal) return failure(400, error.message);
    throw error;
  }
}

function encrypt(store: TransitStore, { body, operation }: VaultRequest, name: string): Answer {
  if (body.plaintext === undefined) throw new TransitRefusal('missing plaintext to encrypt');
  const plaintext = bytesIn(body.plaintext);
  const binding = bindingIn(body);
  const known = store.keys.get(name);
  if (!known && operation !== 'create') throw new TransitRefusal('encryption key not found');
  // A key that is made by its first use derives others if that use has a context.
  const key = known ?? store.create(name, binding.context.length > 0);
  const ciphertext = store.encrypt(key, plaintext, binding);
  return { status: 200, data: canonicalJson({ ciphertext, key_version: key.versions.length }) };
}

function decrypt(store: TransitStore, { body }: VaultRequest, name: string): Answer {
  const { ciphertext } = body;
  if (typeof ciphertext !== 'string' || ciphertext === '') throw new TransitRefusal('missing ciphertext to decrypt');
  const binding = bindingIn(body);
  const key = store.keys.get(name);
  if (!key) throw new TransitRefusal('encryption key not found');
  const plaintext = store.decrypt(key, ciphertext, binding).toString('base64');
  return { status: 200, data: canonicalJson({ plaintext }) };
}

const bindingIn = (body: VaultRequest['body']): TransitBinding => ({
  context: bytesIn(body.context ?? ''),
  associatedData: bytesIn(body.associated_data ?? ''),
});

function bytesIn(value: unknown): Buffer {
  if (typeof value !== 'string' || !isBase64(value)) throw new TransitRefusal('illegal base64 data at input byte 0');
  return Buffer.from(value, 'base64');
}

function serveKey(store: TransitStore, { operation, body }: VaultRequest, name: string): Answer {
  const key = store.keys.get(name);
  switch (operation) {
    case 'read':
      return key === undefined ? notFound : { status: 200, data: describe(key) };
    case 'create':
    case 'update':
      if (body.type !== undefined && body.type !== 'aes256-gcm96')
        throw new TransitRefusal(`unknown key type ${String(body.type)}`);
      return { status: 200, data: describe(store.create(name, body.derived === true)) };
    case 'delete':
      if (key === undefined) throw new TransitRefusal(`error deleting policy ${name}: could not delete key; not found`);
      if (!key.deletionAllowed)
        throw new TransitRefusal(`error deleting policy ${name}: deletion is not allowed for this key`);
      store.keys.delete(name);
      return noContent;
    default:
      return unsupportedOperation;
  }
}

function change(store: TransitStore, { body }: VaultRequest, name: string, act: string): Answer {
  const key = store.keys.get(name);
  if (key === undefined)
    throw new TransitRefusal(act === 'rotate' ? 'key not found' : `no existing key named ${name} could be found`);
  if (act === 'rotate') {
    store.rotate(key);
    return { status: 200, data: describe(key) };
  }
  const least = body.min_decryption_version === undefined ? null : toInteger(body.min_decryption_version);
  if (least !== null && least > key.versions.length)
    throw new TransitRefusal(
      `cannot set min decryption version of ${least}, latest key version is ${key.versions.length}`,
    );
  if (least !== null) key.minDecryptionVersion = Math.max(1, least);
  if (typeof body.deletion_allowed === 'boolean') key.deletionAllowed = body.deletion_allowed;
  return { status: 200, data: describe(key) };
}

const describe = (key: TransitKey): string =>
  canonicalJson({
    allow_plaintext_backup: false,
    deletion_allowed: key.deletionAllowed,
    derived: key.derived,
    exportable: false,
    keys: Object.fromEntries(
      key.versions
        .map(({ createdAt }, index) => [index + 1, Math.floor(createdAt / 1000)] as const)
        .filter(([version]) => version >= key.minDecryptionVersion),
    ),
    latest_version: key.versions.length,
    min_decryption_version: key.minDecryptionVersion,
    min_encryption_version: 0,
    name: key.name,
    supports_decryption: true,
    supports_derivation: true,
    supports_encryption: true,
    supports_signing: false,
    type: 'aes256-gcm96',
  });
