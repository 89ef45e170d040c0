import type { Credentials } from './clients.ts';
import { environmentOf } from './environment.ts';
import { credentialsOf } from './lent-credentials.ts';
import { refused } from './login.ts';
import type { MetadataClient } from './metadata-client.ts';

/** For the few requests of one login. */
const tokenSeconds = '300';

/** The credentials of the role that is attached to this virtual machine. */
export async function instanceCredentials(ask: MetadataClient, signal: AbortSignal): Promise<Credentials> {
  const what = 'read the credentials of this instance';
  const read = await openMetadata(ask, signal);
  const path = 'iam/security-credentials/';
  const [role = ''] = ((await read(path, what)) ?? '').trim().split('\n');
  if (role === '') throw refused(what, 'no role is attached to it');
  return credentialsOf((await read(path + encodeURIComponent(role), what)) ?? '', what);
}

/** The region that this virtual machine is in, or null where that isn't told. */
export async function instanceRegion(ask: MetadataClient, signal: AbortSignal): Promise<string | null> {
  const read = await openMetadata(ask, signal);
  return (await read('placement/region', 'find out the region of this instance'))?.trim() ?? null;
}

/** Version 2 of the service alone: a token first, which proxies and forged requests can't get. Null is 404. */
async function openMetadata(ask: MetadataClient, signal: AbortSignal) {
  const { imdsDisabled, imdsEndpoint } = environmentOf(process.env);
  const opening = 'open the instance metadata';
  if (imdsDisabled) throw refused(opening, 'AWS_EC2_METADATA_DISABLED is set');
  const asked = await ask(
    {
      method: 'PUT',
      url: `${imdsEndpoint}/latest/api/token`,
      headers: { 'x-aws-ec2-metadata-token-ttl-seconds': tokenSeconds },
      what: opening,
    },
    signal,
  );
  const token = asked.text.trim();
  if (asked.status !== 200 || !/^[\x21-\x7e]+$/.test(token))
    throw refused(opening, `it gives no token (${asked.status})`);

  return async (path: string, what: string): Promise<string | null> => {
    const headers = { 'x-aws-ec2-metadata-token': token };
    const { status, text } = await ask({ url: `${imdsEndpoint}/latest/meta-data/${path}`, headers, what }, signal);
    if (status === 404) return null;
    if (status !== 200) throw refused(what, `the instance metadata refuse it (${status})`);
    return text;
  };
}
