import { vaultFailure } from '@keyferry/core';
import { readTokenFile } from '../common/token-file.ts';
import type { ConnectContext } from '../contract.ts';
import { createRoleAssumer, type RoleAssumer, type RoleToAssume } from './assume-role.ts';
import type { Caller } from './caller.ts';
import type { Clients, Credentials } from './clients.ts';
import type { AwsAuth } from './config.ts';
import { containerCredentials } from './container-credentials.ts';
import { defaultCredentials } from './default-credentials.ts';
import { instanceCredentials } from './instance-metadata.ts';
import type { MetadataClient } from './metadata-client.ts';
import type { Transport } from './transport.ts';

export interface Login {
  /** Credentials, by whatever calls it takes. Rejects with `vault_unauthenticated` if they are refused. */
  acquire(signal: AbortSignal): Promise<Credentials>;
  /** Whether further credentials can be had where these are refused. */
  renewable: boolean;
}

export interface LoginParts {
  clients: Clients;
  call: Caller;
  context: ConnectContext;
  metadata: MetadataClient;
  transport: Transport;
  region(signal: AbortSignal): Promise<string>;
}

type Source = (signal: AbortSignal) => Promise<Credentials>;

/** The credentials of the method, and then those of each role, one after the other. */
export function createLogin(auth: AwsAuth, parts: LoginParts): Login {
  const roles = createRoleAssumer(auth.session_name ?? 'keyferry', parts);
  const source = sourceOf(auth, parts, roles);
  const chain = rolesOf(auth);
  return {
    renewable: auth.method !== 'static' || chain.length > 0,
    async acquire(signal) {
      let credentials = await source(signal);
      for (const role of chain) credentials = await roles.assume(role, credentials, signal);
      return credentials;
    },
  };
}

function rolesOf(auth: AwsAuth): RoleToAssume[] {
  const roles: RoleToAssume[] = (auth.role_chain ?? []).map(({ role_arn, external_id }, index) => ({
    field: `role_chain.${index}`,
    arn: role_arn,
    ...(external_id !== undefined && { externalId: external_id }),
  }));
  if (auth.method === 'web_identity' || auth.role_arn === undefined) return roles;
  const { role_arn: arn, external_id: externalId } = auth;
  return [{ field: 'role_arn', arn, ...(externalId !== undefined && { externalId }) }, ...roles];
}

function sourceOf(auth: AwsAuth, parts: LoginParts, roles: RoleAssumer): Source {
  switch (auth.method) {
    case 'static': {
      const given: Credentials = {
        accessKeyId: auth.access_key_id,
        secretAccessKey: auth.secret_access_key,
        ...(auth.session_token !== undefined && { sessionToken: auth.session_token }),
        expiresAt: null,
      };
      return async () => given;
    }
    case 'web_identity': {
      const role = { field: 'role_arn', arn: auth.role_arn };
      return async (signal) => roles.assumeWithToken(role, await webIdentityToken(auth, parts.context), signal);
    }
    case 'instance':
      return (signal) => instanceCredentials(parts.metadata, signal);
    case 'container':
      return (signal) => containerCredentials(parts.metadata, signal);
    case 'default':
      return (signal) => defaultCredentials(parts, signal);
  }
}

async function webIdentityToken(
  { token = '', token_file }: Extract<AwsAuth, { method: 'web_identity' }>,
  context: ConnectContext,
): Promise<string> {
  return token_file === undefined ? token : readTokenFile(token_file, context);
}

export function refused(what: string, why: string) {
  return vaultFailure('unauthenticated', `Could not ${what}: ${why}.`);
}
