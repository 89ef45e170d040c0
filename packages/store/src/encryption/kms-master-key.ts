import { DecryptCommand, DescribeKeyCommand, EncryptCommand, KMSClient } from '@aws-sdk/client-kms';
import { KeyferryError, type KmsPlace } from '@keyferry/core';
import { type MasterKeyProvider, nameFingerprint, providerUnavailable, unwrapRefused } from './master-key-provider.ts';

/** For one call, in milliseconds. */
const deadlineMs = 5_000;

/**
 * A symmetric key of AWS KMS, which it never leaves; what a data key is for is the encryption context, which CloudTrail shows
 * and Decrypt asks for. Asks once which key is meant, so that an alias that is pointed elsewhere is another master key.
 */
export async function openKmsMasterKey(place: KmsPlace): Promise<MasterKeyProvider> {
  const region = place.region ?? /^arn:[\w-]+:kms:([\w-]+):/.exec(place.key)?.[1];
  const client = new KMSClient({
    maxAttempts: 3,
    ...(region !== undefined && { region }),
    ...(place.endpoint !== undefined && { endpoint: place.endpoint }),
    requestHandler: { connectionTimeout: deadlineMs, requestTimeout: deadlineMs, throwOnRequestTimeout: true },
  });
  const deadline = () => ({ abortSignal: AbortSignal.timeout(3 * deadlineMs) });
  try {
    const described = await client.send(new DescribeKeyCommand({ KeyId: place.key }), deadline());
    const KeyId = described.KeyMetadata?.Arn;
    if (KeyId === undefined) throw providerUnavailable('AWS KMS did not say which key the master key is.');
    return {
      id: fingerprint(KeyId),
      kind: 'kms',
      async wrap(dataKey, associated) {
        const command = new EncryptCommand({ KeyId, Plaintext: dataKey, EncryptionContext: { keyferry: associated } });
        const { CiphertextBlob } = await client.send(command, deadline()).catch(refuse);
        if (!CiphertextBlob) throw providerUnavailable('AWS KMS answered without a ciphertext.');
        return Buffer.from(CiphertextBlob);
      },
      async unwrap(wrapped, associated) {
        const EncryptionContext = { keyferry: associated };
        const command = new DecryptCommand({ KeyId, CiphertextBlob: wrapped, EncryptionContext });
        const { Plaintext } = await client.send(command, deadline()).catch(refuse);
        if (!Plaintext) throw providerUnavailable('AWS KMS answered without a plaintext.');
        return Buffer.from(Plaintext);
      },
      close: async () => client.destroy(),
    };
  } catch (error) {
    client.destroy();
    return refuse(error);
  }
}

/** Replicas of a key in several regions have one id, and open what any of them has wrapped. */
function fingerprint(arn: string): string {
  const [, partition, , region, account, key = ''] = arn.split(':');
  return nameFingerprint('kms', [partition, key.startsWith('key/mrk-') ? '' : region, account, key].join(':'));
}

const refused: Record<string, string> = {
  AccessDeniedException: 'AWS KMS refused what the credentials may do with the master key.',
  NotFoundException: 'AWS KMS has no such master key.',
  DisabledException: 'The master key is disabled in AWS KMS.',
  KMSInvalidStateException: 'The master key in AWS KMS is in a state in which it can’t be used, as pending deletion.',
  KeyUnavailableException: 'The master key is not available in AWS KMS.',
  InvalidKeyUsageException: 'The master key in AWS KMS is none to encrypt and decrypt with.',
  ThrottlingException: 'AWS KMS was asked too often.',
  CredentialsProviderError: 'No credentials for AWS KMS could be found.',
};

/** KMS's own words name accounts and keys. */
function refuse(error: unknown): never {
  if (error instanceof KeyferryError) throw error;
  const name = error instanceof Error ? error.name : '';
  if (name === 'InvalidCiphertextException' || name === 'IncorrectKeyException') throw unwrapRefused();
  if (error instanceof Error && error.message === 'Region is missing')
    throw new KeyferryError('config_invalid', 'The region of the master key in AWS KMS is not known: set AWS_REGION.');
  throw providerUnavailable(refused[name] ?? 'AWS KMS did not answer, or refused.');
}
