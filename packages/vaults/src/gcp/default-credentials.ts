import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { Lease } from '../common/token-keeper.ts';
import { member, type Read, readDocument, typeOf } from './document.ts';
import { readExternalAccount } from './external-account.ts';
import { federatedLogin } from './federation.ts';
import { givesTokens } from './hosts.ts';
import type { Login } from './login.ts';
import { machineLogin } from './metadata-server.ts';
import { readServiceAccount } from './service-account.ts';
import { serviceAccountLogin } from './service-account-login.ts';
import { grantedBy, refusedLogin, type TokenRequests } from './token-requests.ts';

/**
 * Google's default credentials, which are the operator's: what GOOGLE_APPLICATION_CREDENTIALS names, what gcloud has put
 * into the home directory, or the metadata server. Files named there are the operator's word, so that they are read
 * without being asked for.
 */
export function defaultLogin(requests: TokenRequests): Login {
  return async (signal) => {
    const found = await findDocument();
    if (found === null) return machineLogin(requests)(signal);
    return loginBy(found, requests, signal);
  };
}

interface Found {
  path: string;
  text: string;
}

async function findDocument(): Promise<Found | null> {
  const named = process.env.GOOGLE_APPLICATION_CREDENTIALS;
  if (named) {
    return { path: named, text: await readOperatorsFile(named) };
  }
  const folder = process.env.CLOUDSDK_CONFIG || join(homedir(), '.config', 'gcloud');
  const path = join(folder, 'application_default_credentials.json');
  const text = await read(path);
  return text === null ? null : { path, text };
}

function read(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch(() => null);
}

async function readOperatorsFile(path: string): Promise<string> {
  const text = await read(path);
  if (text === null) throw refusedLogin('log in', `the file ${path} can’t be read`);
  return text;
}

async function loginBy({ path, text }: Found, requests: TokenRequests, signal: AbortSignal): Promise<Lease<string>> {
  const contentOf = <Content>(read: Read<Content>): Content => {
    if ('content' in read) return read.content;
    throw refusedLogin('log in', `the file ${path} ${read.problem}`);
  };
  switch (typeOf(text)) {
    case 'authorized_user':
      return userLogin(contentOf(readUser(text)), requests)(signal);
    case 'external_account':
      return federatedLogin(
        contentOf(readExternalAccount(text, undefined)),
        { settings: requests, machine: requests },
        readOperatorsFile,
      )(signal);
    default:
      return serviceAccountLogin(contentOf(readServiceAccount(text, undefined)), requests)(signal);
  }
}

interface User {
  client_id: string;
  client_secret: string;
  refresh_token: string;
  token_uri: string;
}

/** What `gcloud auth application-default login` writes. */
function readUser(text: string): Read<User> {
  return readDocument(
    text,
    'authorized_user',
    z.looseObject({
      client_id: member('client_id'),
      client_secret: member('client_secret'),
      refresh_token: member('refresh_token'),
      token_uri: member('token_uri')
        .refine((url) => givesTokens(url, undefined), 'its member token_uri must be https at googleapis.com')
        .default('https://oauth2.googleapis.com/token'),
    }),
  );
}

function userLogin({ token_uri, client_id, client_secret, refresh_token }: User, requests: TokenRequests): Login {
  const what = 'log in as the person who has logged in to gcloud';
  const form = () => ({ grant_type: 'refresh_token', client_id, client_secret, refresh_token });
  return async (signal) => grantedBy(await requests.send({ url: token_uri, what, form }, signal), what, requests.now());
}
