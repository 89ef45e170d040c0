import { ClientSecretCredential } from '@azure/identity';
import { SecretClient } from '@azure/keyvault-secrets';
import type { BareTarget, BareVault } from './bare-vault.ts';
import { eachOf } from './pool.ts';

export async function bareAzure({ url, credentials, concurrency }: BareTarget): Promise<BareVault> {
  const { tenant_id = '', client_id = '', client_secret = '', authority_host = '', ca_cert = '' } = credentials;
  const identity = new ClientSecretCredential(tenant_id, client_id, client_secret, {
    authorityHost: authority_host,
    disableInstanceDiscovery: true,
    tlsOptions: { ca: ca_cert },
  });
  const client = new SecretClient(url, identity, {
    allowInsecureConnection: true,
    disableChallengeResourceVerification: true,
    retryOptions: { maxRetries: 0 },
  });
  const list = async () => {
    const names: string[] = [];
    for await (const page of client.listPropertiesOfSecrets().byPage({ maxPageSize: 25 }))
      for (const { name } of page) names.push(name);
    return names;
  };
  const read = (names: readonly string[]) =>
    eachOf(names, concurrency, async (name) => void (await client.getSecret(name)));
  return {
    first: async () => await read(await list()),
    unchanged: async () => void (await list()),
    async changed(names) {
      await list();
      await read(names);
    },
  };
}
