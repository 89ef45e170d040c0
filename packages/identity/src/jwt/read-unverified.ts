import { signingAlgorithms } from '@keyferry/core';
import { decodeJwt, decodeProtectedHeader } from 'jose';

/** What a token says that decides who is asked for its key. Nothing of it is proven. */
export interface Unverified {
  issuer: string;
  audiences: string[];
  algorithm: string;
}

const mostCharacters = 16 * 1024;
const mostAudiences = 20;

/** Null for what is no signed token that anybody here could take. */
export function readUnverified(credential: string): Unverified | null {
  if (credential.length > mostCharacters || !/^[\w-]+\.[\w-]+\.[\w-]+$/.test(credential)) return null;
  try {
    const { alg = '' } = decodeProtectedHeader(credential);
    const { iss, aud } = decodeJwt(credential);
    const audiences = [aud].flat().filter((audience) => isStorable(audience));
    if (!isStorable(iss) || audiences.length === 0 || audiences.length > mostAudiences) return null;
    if (!signingAlgorithms.some((known) => known === alg)) return null;
    return { issuer: iss, audiences, algorithm: alg };
  } catch {
    return null;
  }
}

/** A text that Postgres can be asked for. */
function isStorable(text: unknown): text is string {
  return typeof text === 'string' && text !== '' && text.length <= 2048 && !text.includes('\0') && text.isWellFormed();
}
