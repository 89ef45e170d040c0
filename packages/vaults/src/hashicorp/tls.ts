import type { HashicorpConfig } from './config.ts';

/** What a TLS connection takes of the settings. */
export function tlsOptions({ tls, auth }: HashicorpConfig) {
  return {
    // Said explicitly, since NODE_TLS_REJECT_UNAUTHORIZED must not decide for a tenant.
    rejectUnauthorized: true,
    ...(tls?.ca_cert && { ca: tls.ca_cert }),
    ...(tls?.server_name && { servername: tls.server_name }),
    ...(auth.client_cert && { cert: auth.client_cert }),
    ...(auth.client_key && { key: auth.client_key }),
  };
}
