import type { Identities, Principal } from './identities.ts';
import type { Input } from './input.ts';
import type { PageTokens } from './page-tokens.ts';
import { accessDenied, Refusal } from './refusal.ts';
import type { Secret } from './secret.ts';
import type { SecretStore } from './secret-store.ts';

/** What an operation of Secrets Manager works with. */
export interface Call {
  input: Input;
  caller: Principal;
  identities: Identities;
  store: SecretStore;
  pageTokens: PageTokens;
  /** Milliseconds since the epoch. */
  now: number;
  /** Most bytes of values in one answer to BatchGetSecretValue. */
  batchBytes: number;
}

/** Throws unless the caller's policies allow the action. */
export function authorize({ caller, identities }: Call, action: string, resource: string): void {
  const decision = identities.decide(caller, `secretsmanager:${action}`, resource);
  if (decision !== 'allowed')
    throw accessDenied(caller.arn, `secretsmanager:${action}`, resource, decision === 'denied');
}

const notFound = () => new Refusal('ResourceNotFoundException', "Secrets Manager can't find the specified secret.");

export const markedForDeletion = () =>
  new Refusal(
    'InvalidRequestException',
    "You can't perform this operation on the secret because it was marked for deletion.",
  );

const namePattern = /^[A-Za-z0-9/_+=.@!-]+$/;

/** Takes a name, or an ARN of a secret. */
export function takeSecretId(input: Input): string {
  const id = input.requiredText('SecretId', { least: 1, most: 2048 });
  checkId(id);
  return id;
}

export function checkId(id: string): void {
  if (id.startsWith('arn:') || namePattern.test(id)) return;
  throw new Refusal(
    'ValidationException',
    'Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!',
  );
}

/** The secret, once the caller may do this to it. What isn't there is forbidden by the name that was asked for. */
export function authorizedSecret(call: Call, action: string, id: string): Secret {
  const { store } = call;
  const secret = store.find(id);
  authorize(call, action, secret?.arn ?? (id.startsWith('arn:') ? id : store.arnOf(id)));
  if (secret === undefined) throw notFound();
  return secret;
}
