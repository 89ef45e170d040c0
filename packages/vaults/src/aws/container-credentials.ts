import { readFile } from 'node:fs/promises';
import { isUnencrypted } from '../common/config-fields.ts';
import type { Credentials } from './clients.ts';
import { environmentOf } from './environment.ts';
import { credentialsOf } from './lent-credentials.ts';
import { refused } from './login.ts';
import type { MetadataClient } from './metadata-client.ts';

/** Where ECS and EKS serve credentials, in the clear, to what runs beside them. */
const agents = ['169.254.170.2', '169.254.170.23', '[fd00:ec2::23]'];

/** The credentials of the role of this task or pod. Address and token are where the platform says, in the environment. */
export async function containerCredentials(ask: MetadataClient, signal: AbortSignal): Promise<Credentials> {
  const what = 'read the credentials of this container';
  const { containerUrl: url, containerToken, containerTokenFile } = environmentOf(process.env);
  if (url === null || !URL.canParse(url))
    throw refused(what, 'neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor AWS_CONTAINER_CREDENTIALS_FULL_URI is set');
  if (isUnencrypted(url) && !agents.includes(new URL(url).hostname))
    throw refused(what, 'AWS_CONTAINER_CREDENTIALS_FULL_URI leads to another machine unencrypted');
  const authorization = containerTokenFile === null ? containerToken : await tokenIn(containerTokenFile, what);
  if (authorization !== null && !/^[\x20-\x7e]+$/.test(authorization))
    throw refused(what, 'the authorization token has characters that can’t be sent');
  const headers = authorization === null ? {} : { authorization };
  const { status, text } = await ask({ url, headers, what }, signal);
  if (status !== 200) throw refused(what, `the platform refuses them (${status})`);
  return credentialsOf(text, what);
}

/** Named by the environment and not by settings, and so the operator's own choice. The platform renews it. */
async function tokenIn(file: string, what: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch {
    throw refused(what, 'the file of AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE can’t be read');
  }
}
