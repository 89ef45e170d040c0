import { createPrivateKey } from 'node:crypto';
import { z } from 'zod';
import { member, type Read, readDocument } from './document.ts';
import { givesTokens } from './hosts.ts';

/** The key file of a service account, as far as it is used. */
export interface ServiceAccount {
  client_email: string;
  private_key: string;
  private_key_id?: string | undefined;
  token_uri: string;
}

/** Reads a key file. `endpoint` is the one of the settings it is for. */
export function readServiceAccount(text: string, endpoint: string | undefined): Read<ServiceAccount> {
  return readDocument(
    text,
    'service_account',
    z.looseObject({
      client_email: member('client_email').regex(/^\S+@\S+$/, 'its member client_email is no e-mail address'),
      private_key: member('private_key').refine(
        isRsaKey,
        'its member private_key is no PEM of an RSA key that can be read; the line breaks of the file must be kept as \\n',
      ),
      private_key_id: member('private_key_id').optional(),
      token_uri: member('token_uri')
        .refine(
          (url) => givesTokens(url, endpoint),
          'its member token_uri must be https at googleapis.com, or at the endpoint of these settings',
        )
        .default('https://oauth2.googleapis.com/token'),
    }),
  );
}

function isRsaKey(pem: string): boolean {
  try {
    return createPrivateKey(pem).asymmetricKeyType === 'rsa';
  } catch {
    return false;
  }
}
