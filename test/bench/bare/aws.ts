import { Agent } from 'node:http';
import { BatchGetSecretValueCommand, ListSecretsCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import type { BareTarget, BareVault } from './bare-vault.ts';
import { batchesOf, eachOf } from './pool.ts';

export async function bareAws({ url, credentials, concurrency }: BareTarget): Promise<BareVault> {
  const client = new SecretsManagerClient({
    region: credentials.region ?? '',
    endpoint: url,
    credentials: {
      accessKeyId: credentials.access_key_id ?? '',
      secretAccessKey: credentials.secret_access_key ?? '',
    },
    maxAttempts: 1,
    requestHandler: new NodeHttpHandler({ httpAgent: new Agent({ keepAlive: true, maxSockets: concurrency }) }),
  });
  const list = async () => {
    const names: string[] = [];
    let token: string | undefined;
    do {
      const page = await client.send(
        new ListSecretsCommand({ MaxResults: 100, IncludePlannedDeletion: true, ...(token && { NextToken: token }) }),
      );
      for (const { Name } of page.SecretList ?? []) names.push(Name ?? '');
      token = page.NextToken;
    } while (token);
    return names;
  };
  const read = (names: readonly string[]) =>
    eachOf(batchesOf(names, 20), concurrency, async (batch) => {
      const { Errors } = await client.send(new BatchGetSecretValueCommand({ SecretIdList: batch }));
      if (Errors && Errors.length > 0) throw new Error('a secret could not be read');
    });
  return {
    first: async () => await read(await list()),
    unchanged: async () => void (await list()),
    async changed(names) {
      await list();
      await read(names);
    },
  };
}
