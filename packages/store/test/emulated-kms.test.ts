import {
  DecryptCommand,
  DescribeKeyCommand,
  EncryptCommand,
  KMSClient,
  type KMSClientConfig,
} from '@aws-sdk/client-kms';
import { type AwsEmulator, startAwsEmulator } from '@keyferry/emulators';
import { afterEach, beforeEach, expect, test } from 'vitest';

/** Asked by Amazon's own client, which signs and parses as it does with the real service. */

let aws: AwsEmulator;
let client: KMSClient;

const clientWith = (credentials: NonNullable<KMSClientConfig['credentials']>) =>
  new KMSClient({ endpoint: aws.url, region: aws.region, credentials, maxAttempts: 1 });

beforeEach(async () => {
  aws = await startAwsEmulator();
  client = clientWith(aws.operator);
});
afterEach(async () => {
  client.destroy();
  await aws.close();
});

const Plaintext = Buffer.from('a data key');
const context = { keyferry: 'for this' };

const encrypt = async (KeyId: string) => {
  const { CiphertextBlob } = await client.send(new EncryptCommand({ KeyId, Plaintext, EncryptionContext: context }));
  return CiphertextBlob as Uint8Array;
};
const decrypt = (CiphertextBlob: Uint8Array, KeyId?: string, EncryptionContext: Record<string, string> = context) =>
  client.send(new DecryptCommand({ CiphertextBlob, EncryptionContext, ...(KeyId && { KeyId }) }));

test('what is encrypted is opened with the same context alone, by whatever the key is called', async () => {
  const { id, arn } = aws.kms.create('alias/k');
  for (const name of [id, arn, 'alias/k', arn.replace(/key\/.*/, 'alias/k')]) {
    const opened = await decrypt(await encrypt(name), name);
    expect([Buffer.from(opened.Plaintext ?? []), opened.KeyId]).toEqual([Plaintext, arn]);
  }
  const ciphertext = await encrypt(id);
  expect((await decrypt(ciphertext)).KeyId).toBe(arn);
  for (const other of [{}, { keyferry: 'for that' }, { ...context, more: 'x' }])
    await expect(decrypt(ciphertext, id, other)).rejects.toMatchObject({ name: 'InvalidCiphertextException' });
});

test('another key, and what no key has made, are told apart', async () => {
  const [one, other] = [aws.kms.create(), aws.kms.create()];
  const ciphertext = await encrypt(one.id);
  await expect(decrypt(ciphertext, other.id)).rejects.toMatchObject({ name: 'IncorrectKeyException' });
  await expect(decrypt(Buffer.from('x'.repeat(80)))).rejects.toMatchObject({ name: 'InvalidCiphertextException' });
  const altered = Buffer.from(ciphertext);
  altered[altered.length - 1] = (altered.at(-1) ?? 0) ^ 1;
  await expect(decrypt(altered, one.id)).rejects.toMatchObject({ name: 'InvalidCiphertextException' });
});

test.each([
  ['Disabled', 'DisabledException'],
  ['PendingDeletion', 'KMSInvalidStateException'],
] as const)('a key that is %s is described, and used for nothing', async (state, name) => {
  const key = aws.kms.create();
  const ciphertext = await encrypt(key.id);
  key.state = state;
  const { KeyMetadata } = await client.send(new DescribeKeyCommand({ KeyId: key.id }));
  expect(KeyMetadata).toMatchObject({ Arn: key.arn, KeyState: state, Enabled: false, KeyUsage: 'ENCRYPT_DECRYPT' });
  await expect(encrypt(key.id)).rejects.toMatchObject({ name });
  await expect(decrypt(ciphertext)).rejects.toMatchObject({ name });
});

test('a key or alias that isn’t there, too much plaintext and too many calls are refused', async () => {
  const key = aws.kms.create();
  const missing = { name: 'NotFoundException' };
  await expect(encrypt('alias/none')).rejects.toMatchObject(missing);
  await expect(encrypt(key.arn.replace('us-east-1', 'eu-central-1'))).rejects.toMatchObject(missing);
  const much = new EncryptCommand({ KeyId: key.id, Plaintext: Buffer.alloc(4097) });
  await expect(client.send(much)).rejects.toMatchObject({ name: 'ValidationException' });
  aws.setQuota({ Encrypt: 0.0001 });
  await encrypt(key.id).catch(() => null);
  await expect(encrypt(key.id)).rejects.toMatchObject({ name: 'ThrottlingException' });
});

test('who may decrypt by one key may not encrypt by it, nor decrypt by another', async () => {
  const [one, other] = [aws.kms.create(), aws.kms.create()];
  const ciphertexts = [await encrypt(one.id), await encrypt(other.id)] as const;
  const { accessKeyId, secretAccessKey } = aws.identities.createKey('reader', [
    { actions: ['kms:Decrypt'], resources: [one.arn] },
  ]);
  client.destroy();
  client = clientWith({ accessKeyId, secretAccessKey });
  expect((await decrypt(ciphertexts[0], one.id)).KeyId).toBe(one.arn);
  const denied = { name: 'AccessDeniedException' };
  await expect(encrypt(one.id)).rejects.toMatchObject(denied);
  await expect(decrypt(ciphertexts[1], other.id)).rejects.toMatchObject(denied);
});
