import { generateKeyPairSync, type KeyObject } from 'node:crypto';

export interface KeyPair {
  privateKey: KeyObject;
  publicKey: KeyObject;
}

const pairs: KeyPair[] = [];

/**
 * The n-th RSA key of this process. Making one takes a tenth of a second, so emulators of one process have the same;
 * within an emulator, each account has its own.
 */
export function keyPair(index: number): KeyPair {
  while (pairs.length <= index) pairs.push(generateKeyPairSync('rsa', { modulusLength: 2048 }));
  const pair = pairs[index];
  if (pair === undefined) throw new Error('no such key');
  return pair;
}

export function pemOf(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}
