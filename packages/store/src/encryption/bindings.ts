/** What ciphertexts are bound to: opened as anything else they fail. */

export const valueBinding = (tenantId: string, keyId: string, version: number) =>
  `value:${tenantId}:${keyId}:${version}`;
/** Of a backend's credentials. */
export const credentialsBinding = (tenantId: string, backendId: string) => `credentials:${tenantId}:${backendId}`;
/** Of a channel's addresses and credentials. */
export const channelBinding = (tenantId: string, channelId: string) => `channel:${tenantId}:${channelId}`;
/** Of a data key. */
export const wrappingBinding = (tenantId: string, keyId: string, purpose: string) =>
  `wrap:${tenantId}:${keyId}:${purpose}`;
