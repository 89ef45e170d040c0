import { SecretManagerServiceClient } from '@google-cloud/secret-manager';
import type { BareTarget, BareVault } from './bare-vault.ts';
import { eachOf } from './pool.ts';

export async function bareGcp({ url, credentials, concurrency }: BareTarget): Promise<BareVault> {
  const { hostname, port } = new URL(url);
  const client = new SecretManagerServiceClient({
    fallback: true,
    apiEndpoint: hostname,
    port: Number(port),
    protocol: 'http',
    credentials: JSON.parse(credentials.credentials_json ?? ''),
  });
  const parent = `projects/${credentials.project_id}`;
  const options = { retry: null, autoPaginate: false } as const;
  const everything = async () => {
    const [secrets] = await client.listSecrets({ parent, pageSize: 25_000 }, options);
    const names = secrets.map(({ name }) => name ?? '');
    await eachOf(names, concurrency, async (name) => {
      await client.accessSecretVersion({ name: `${name}/versions/latest` }, { retry: null });
    });
  };
  // Nothing but reading shows whether a value is new.
  return { first: everything, unchanged: everything, changed: everything };
}
