import { createPrivateKey, type KeyObject } from 'node:crypto';

/** What a service account's key, as Google gives it out, holds of what signing needs. */
export interface ServiceAccount {
  email: string;
  keyId: string;
  key: KeyObject;
}

/** The service account in the JSON of its key, or null if it is none. */
export function parseServiceAccount(json: string): ServiceAccount | null {
  try {
    const { type, client_email: email, private_key_id: keyId, private_key: pem } = JSON.parse(json);
    const fits = type === 'service_account' && isText(email) && isText(keyId) && isText(pem);
    return fits ? { email, keyId, key: createPrivateKey(pem) } : null;
  } catch {
    return null;
  }
}

export function isServiceAccount(json: string): boolean {
  return parseServiceAccount(json) !== null;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
