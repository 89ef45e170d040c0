import type { HttpClient } from '@azure/core-rest-pipeline';
import type { TokenCredential } from '@azure/identity';
import type { AzureAuth } from './auth-fields.ts';

export interface CredentialOptions {
  authorityHost: string;
  httpClient: HttpClient;
  disableInstanceDiscovery: boolean;
  retryOptions: { maxRetries: number };
  redirectOptions: { maxRetries: number };
}

/** How long a command of a developer’s machine may take, where the machine's own identity is looked for there. */
const commandMs = 10_000;

/** The SDK's credential of a method. `assertion`: the token of a workload, which the SDK would read from a file itself. */
export async function credentialOf(
  auth: AzureAuth,
  assertion: string,
  options: CredentialOptions,
): Promise<TokenCredential> {
  const sdk = await import('@azure/identity');
  switch (auth.method) {
    case 'client_secret':
      return new sdk.ClientSecretCredential(auth.tenant_id, auth.client_id, auth.client_secret, options);
    case 'certificate': {
      const certificate = [auth.certificate, auth.private_key ?? ''].join('\n');
      const chain = { sendCertificateChain: auth.send_chain };
      return new sdk.ClientCertificateCredential(
        auth.tenant_id,
        auth.client_id,
        { certificate },
        { ...options, ...chain },
      );
    }
    case 'workload_identity':
      return new sdk.ClientAssertionCredential(auth.tenant_id, auth.client_id, async () => assertion, options);
    case 'managed_identity':
      return managedIdentity(auth, sdk, options);
    case 'default':
      return new sdk.DefaultAzureCredential({ ...options, processTimeoutInMs: commandMs });
  }
}

function managedIdentity(
  { client_id, object_id, resource_id }: Extract<AzureAuth, { method: 'managed_identity' }>,
  sdk: typeof import('@azure/identity'),
  options: CredentialOptions,
): TokenCredential {
  if (client_id !== undefined) return new sdk.ManagedIdentityCredential({ ...options, clientId: client_id });
  if (object_id !== undefined) return new sdk.ManagedIdentityCredential({ ...options, objectId: object_id });
  if (resource_id !== undefined) return new sdk.ManagedIdentityCredential({ ...options, resourceId: resource_id });
  return new sdk.ManagedIdentityCredential(options);
}
