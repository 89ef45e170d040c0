import type { IncomingHttpHeaders } from 'node:http';
import type { Reply } from '../http/send.ts';
import { json } from './answer.ts';
import type { GcpState } from './state.ts';

const flavour = { 'metadata-flavor': 'Google', server: 'Metadata Server for VM' };

/** The metadata server of a machine in Google's cloud, as far as it knows of projects and tokens. */
export function serveMetadata(state: GcpState, path: string, headers: IncomingHttpHeaders): Reply {
  // Whoever was tricked into asking, a browser or a proxy, has not said this.
  if (headers['metadata-flavor'] !== 'Google' || headers['x-forwarded-for'] !== undefined)
    return text(403, 'Missing Metadata-Flavor:Google header');
  const account = state.accounts.get(state.machineAccount ?? '');
  if (path === '/computeMetadata/v1/project/project-id' && account !== undefined) return text(200, account.projectId);
  const name = /^\/computeMetadata\/v1\/instance\/service-accounts\/(?<account>[^/]+)\/(?<what>token|email)$/.exec(
    path,
  );
  const asked = decodeURIComponent(name?.groups?.account ?? '');
  if (account === undefined || (asked !== 'default' && asked !== account.email)) return text(404, 'Not Found');
  if (name?.groups?.what === 'email') return text(200, account.email);
  const { token, seconds } = state.tokens.issue(account.email);
  return json(200, { access_token: token, expires_in: seconds, token_type: 'Bearer' }, flavour);
}

function text(status: number, body: string): Reply {
  return { status, body, headers: { 'content-type': 'application/text', ...flavour } };
}
