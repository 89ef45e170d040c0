import { malformed } from './errors.ts';
import type { Login } from './login.ts';
import { grantedBy, type TokenRequests } from './token-requests.ts';

/** Where every machine in Google's cloud has it; by its address, since a name would need a server of names. */
const usualHost = '169.254.169.254';

/** The token of the service account that this machine runs as, from the metadata server that Google gives it. */
export function machineLogin(requests: TokenRequests): Login {
  const what = 'get a token of this machine’s service account from the metadata server';
  return async (signal) => {
    const host = process.env.GCE_METADATA_HOST || usualHost;
    const url = `http://${host}/computeMetadata/v1/instance/service-accounts/default/token`;
    const answer = await requests.send({ url, what, headers: { 'metadata-flavor': 'Google' } }, signal);
    // It says so itself; a proxy or a stranger at that address does not.
    if (answer.header('metadata-flavor') !== 'Google') throw malformed(what);
    return grantedBy(answer, what, requests.now());
  };
}
