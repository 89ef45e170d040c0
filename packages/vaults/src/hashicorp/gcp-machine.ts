import { vaultFailure } from '@keyferry/core';
import { refused } from './errors.ts';

const what = 'log in with the Google identity of this machine';

/** Where every machine in Google's cloud has it; by its address, since a name would need a server of names. */
const usualHost = '169.254.169.254';

/** The identity token of the machine's service account, made out to a role. */
export async function machineToken(role: string, signal: AbortSignal): Promise<string> {
  const { status, flavour, text } = await ask(role, signal);
  if (status === 429 || status >= 500)
    throw vaultFailure('unavailable', `Could not ${what}: its metadata server can’t serve it now (${status}).`);
  // It says so itself; a proxy or a stranger at that address does not.
  if (status !== 200 || flavour !== 'Google')
    throw refused(what, `its metadata server gives no identity (${status}); attach a service account to it`);
  return text.trim();
}

/** Google's library would ask the same, but it tries again by itself, can't be aborted, and logs the token if told to. */
async function ask(role: string, signal: AbortSignal) {
  const { request } = await import('undici');
  // Google's own variable, which its libraries follow as well.
  const host = process.env.GCE_METADATA_HOST || usualHost;
  const query = new URLSearchParams({ audience: `vault/${role}`, format: 'full' });
  const url = `http://${host}/computeMetadata/v1/instance/service-accounts/default/identity?${query}`;
  try {
    const { statusCode, headers, body } = await request(url, {
      headers: { 'Metadata-Flavor': 'Google' },
      // No socket is kept for the next login.
      reset: true,
      signal,
    });
    return { status: statusCode, flavour: headers['metadata-flavor'], text: await body.text() };
  } catch {
    signal.throwIfAborted();
    throw vaultFailure('unavailable', `Could not ${what}: its metadata server can’t be reached.`);
  }
}
