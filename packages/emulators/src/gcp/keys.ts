import { generateKeyPairSync, type KeyObject } from 'node:crypto';

export interface KeyPair {
  privateKey: KeyObject;
  publicKey: KeyObject;
}

const pairs = new Map<string, KeyPair>();

/**
 * The RSA key of this name. Making one takes a tenth of a second, so emulators of one process have the same; within an
 * emulator, each account and each issuer has its own.
 */
export function keyPair(name: string): KeyPair {
  const pair = pairs.get(name) ?? generateKeyPairSync('rsa', { modulusLength: 2048 });
  pairs.set(name, pair);
  return pair;
}

export function pemOf(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}
