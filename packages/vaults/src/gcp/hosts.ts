import { isUnencrypted } from '../common/config-fields.ts';

const google = /(^|\.)googleapis\.com$|^accounts\.google\.com$/;

/** Whether a URL is Google's own, encrypted. */
export function isGoogle(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname, port, username, password } = new URL(url);
  return protocol === 'https:' && google.test(hostname) && port === '' && username === '' && password === '';
}

/** Whether a URL leads to this machine, by either protocol. */
export function isLocal(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, host, username, password } = new URL(url);
  return /^https?:$/.test(protocol) && username === '' && password === '' && !isUnencrypted(`http://${host}`);
}

/**
 * Whether a URL in a document of credentials may be asked for tokens: it is a tenant's word, and what is sent there is
 * good for a login. Google's own, this machine's, and the address that the settings name for everything.
 */
export function givesTokens(url: string, endpoint: string | undefined): boolean {
  if (isGoogle(url) || isLocal(url)) return true;
  return endpoint !== undefined && URL.canParse(url) && new URL(url).origin === new URL(endpoint).origin;
}
