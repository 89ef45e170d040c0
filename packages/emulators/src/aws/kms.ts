import type { Reply } from '../http/send.ts';
import { authenticate } from './authenticate.ts';
import type { Principal } from './identities.ts';
import { Input } from './input.ts';
import { decryptBy, type EncryptionContext, encryptBy, type KmsKey, type KmsStore } from './kms-store.ts';
import { accessDenied, Refusal } from './refusal.ts';
import { parse, reply } from './secrets-manager.ts';
import type { SignedRequest } from './signature.ts';
import type { AwsState } from './state.ts';

interface KmsCall {
  input: Input;
  store: KmsStore;
  /** Throws AccessDeniedException. */
  authorize(action: string, key: KmsKey): void;
}

const operations: Record<string, (call: KmsCall) => object> = {
  Encrypt: encrypt,
  Decrypt: decrypt,
  DescribeKey: describe,
};

const algorithm = 'SYMMETRIC_DEFAULT';
const keyId = { least: 1, most: 2048 };

/** The key management service: protocol AWS JSON 1.1, as that of Secrets Manager. */
export function serveKms(state: AwsState, operation: string, request: SignedRequest): Reply {
  try {
    const handle = Object.hasOwn(operations, operation) ? operations[operation] : undefined;
    if (handle === undefined) throw new Refusal('UnknownOperationException', '');
    const { key, region } = authenticate(state, request, 'kms');
    if (state.quotas.exceeds(operation))
      throw new Refusal(
        'ThrottlingException',
        'You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.',
      );
    const { principal } = key;
    const store = state.kms({ account: principal.account, region });
    return reply(
      200,
      handle({ input: new Input(parse(request.body)), store, authorize: authorizer(state, principal) }),
    );
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return reply(error.status, { __type: error.code, ...(error.message !== '' && { message: error.message }) });
  }
}

const authorizer =
  ({ identities }: AwsState, principal: Principal): KmsCall['authorize'] =>
  (action, { arn }) => {
    const decision = identities.decide(principal, `kms:${action}`, arn);
    if (decision !== 'allowed') throw accessDenied(principal.arn, `kms:${action}`, arn, decision === 'denied');
  };

function encrypt({ input, store, authorize }: KmsCall): object {
  const key = store.find(input.requiredText('KeyId', keyId));
  const plaintext = bytesOf(input.requiredText('Plaintext'), 'plaintext', 4096);
  const context = takeContext(input);
  input.end();
  authorize('Encrypt', key);
  refuseUnusable(key);
  const CiphertextBlob = encryptBy(key, plaintext, context).toString('base64');
  return { CiphertextBlob, KeyId: key.arn, EncryptionAlgorithm: algorithm };
}

function decrypt({ input, store, authorize }: KmsCall): object {
  const asked = input.text('KeyId', keyId);
  const ciphertext = bytesOf(input.requiredText('CiphertextBlob'), 'ciphertextBlob', 6144);
  const context = takeContext(input);
  input.end();
  const named = asked === undefined ? undefined : store.find(asked);
  const key = store.keyOf(ciphertext);
  if (named) authorize('Decrypt', named);
  if (!key) throw new Refusal('InvalidCiphertextException', '');
  if (named && named !== key)
    throw new Refusal(
      'IncorrectKeyException',
      'The key ID in the request does not identify a CMK that can perform this operation.',
    );
  authorize('Decrypt', key);
  refuseUnusable(key);
  const Plaintext = decryptBy(key, ciphertext, context).toString('base64');
  return { KeyId: key.arn, Plaintext, EncryptionAlgorithm: algorithm };
}

function describe({ input, store, authorize }: KmsCall): object {
  const key = store.find(input.requiredText('KeyId', keyId));
  input.end();
  authorize('DescribeKey', key);
  return {
    KeyMetadata: {
      AWSAccountId: key.arn.split(':')[4],
      Arn: key.arn,
      KeyId: key.id,
      CreationDate: key.createdAt / 1000,
      Description: '',
      Enabled: key.state === 'Enabled',
      KeyState: key.state,
      KeyManager: 'CUSTOMER',
      KeySpec: algorithm,
      CustomerMasterKeySpec: algorithm,
      KeyUsage: 'ENCRYPT_DECRYPT',
      EncryptionAlgorithms: [algorithm],
      MultiRegion: false,
      Origin: 'AWS_KMS',
    },
  };
}

function refuseUnusable({ arn, state }: KmsKey): void {
  if (state === 'Disabled') throw new Refusal('DisabledException', `${arn} is disabled.`);
  if (state === 'PendingDeletion') throw new Refusal('KMSInvalidStateException', `${arn} is pending deletion.`);
}

function takeContext(input: Input): EncryptionContext {
  return input.map('EncryptionContext') ?? {};
}

function bytesOf(text: string, member: string, most: number): Buffer {
  const bytes = Buffer.from(text, 'base64');
  const constraint = bytes.length === 0 ? 'greater than or equal to 1' : `less than or equal to ${most}`;
  if (bytes.length === 0 || bytes.length > most)
    throw new Refusal(
      'ValidationException',
      `1 validation error detected: Value at '${member}' failed to satisfy constraint: Member must have length ${constraint}`,
    );
  return bytes;
}
