import { vaultFailure } from '@keyferry/core';
import type { ConnectContext } from '../contract.ts';

/** Three parts of base64url: what is no such token is never sent, whatever file the path names. */
const jsonWebToken = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/** The token of a workload in a file of the operator's, read anew each time. Rejects where it holds anything else. */
export async function readTokenFile(path: string, context: ConnectContext): Promise<string> {
  const text = (await context.readAllowedFile(path)).trim();
  if (jsonWebToken.test(text)) return text;
  throw vaultFailure(
    'unauthenticated',
    `Could not log in with the token in ${path}: the file holds no JSON web token.`,
  );
}
