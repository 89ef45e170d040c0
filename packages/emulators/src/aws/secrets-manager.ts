import { randomUUID } from 'node:crypto';
import type { Reply } from '../http/send.ts';
import { authenticate } from './authenticate.ts';
import type { Call } from './call.ts';
import { Input } from './input.ts';
import { listSecrets } from './list-secrets.ts';
import { batchGetSecretValue, describe, getSecretValue, listSecretVersionIds } from './read-operations.ts';
import { Refusal, throttled } from './refusal.ts';
import type { SignedRequest } from './signature.ts';
import type { AwsState } from './state.ts';
import { createSecret, deleteSecret, putSecretValue, restoreSecret } from './write-operations.ts';

const operations: Record<string, (call: Call) => object> = {
  ListSecrets: listSecrets,
  BatchGetSecretValue: batchGetSecretValue,
  GetSecretValue: getSecretValue,
  DescribeSecret: describe,
  ListSecretVersionIds: listSecretVersionIds,
  CreateSecret: createSecret,
  PutSecretValue: putSecretValue,
  DeleteSecret: deleteSecret,
  RestoreSecret: restoreSecret,
};

/** Codes that the service's framework answers, which writes its messages otherwise than the service. */
const ofTheFramework =
  /^(UnrecognizedClient|InvalidSignature|IncompleteSignature|MissingAuthenticationToken|ExpiredToken|Throttling|Serialization|UnknownOperation|Validation)Exception$/;

/** Protocol AWS JSON 1.1: one operation a request, named in a header. */
export function serveSecretsManager(state: AwsState, operation: string, request: SignedRequest): Reply {
  try {
    return reply(200, perform(state, operation, request));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const member = ofTheFramework.test(error.code) ? 'message' : 'Message';
    return reply(error.status, { __type: error.code, [member]: error.message });
  }
}

function perform(state: AwsState, operation: string, request: SignedRequest): object {
  const handle = Object.hasOwn(operations, operation) ? operations[operation] : undefined;
  if (handle === undefined) throw new Refusal('UnknownOperationException', '');
  const { key, region } = authenticate(state, request, 'secretsmanager');
  if (state.quotas.exceeds(operation)) throw throttled();
  return handle({
    input: new Input(parse(request.body)),
    caller: key.principal,
    identities: state.identities,
    store: state.store({ account: key.principal.account, region }),
    pageTokens: state.pageTokens,
    now: state.now(),
    batchBytes: state.batchBytes,
  });
}

export function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    throw new Refusal('SerializationException', 'The body is not JSON.');
  }
}

export function reply(status: number, body: object): Reply {
  const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amzn-requestid': randomUUID() };
  return { status, body: JSON.stringify(body), headers };
}
