import { type FailureClass, KeyferryError, vaultFailure } from '@keyferry/core';

/** What the code of an error of sockets, TLS or HTTP parsing says: a class, and why in words. Null for other codes. */
export function judgeTransport(code: string): [FailureClass, string] | null {
  switch (code) {
    case 'UND_ERR_CONNECT_TIMEOUT':
    case 'ETIMEDOUT':
      return ['timeout', 'no connection to the vault in time'];
    case 'UND_ERR_HEADERS_TIMEOUT':
    case 'UND_ERR_BODY_TIMEOUT':
      return ['timeout', 'the vault did not answer in time'];
    case 'ECONNREFUSED':
      return ['unavailable', 'the connection was refused; nothing listens at the address'];
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return ['unavailable', 'the host name of the address cannot be resolved'];
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
      return ['unavailable', 'the vault’s certificate is of an unknown authority; set tls.ca_cert to its certificate'];
    case 'CERT_HAS_EXPIRED':
      return ['unavailable', 'the vault’s certificate has expired'];
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return ['unavailable', 'the vault’s certificate is for another name; correct the address or set tls.server_name'];
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
      return ['unavailable', 'the address says https, but what listens there does not speak TLS'];
  }
  if (/^(ERR_SSL|EPROTO)/.test(code))
    return ['unavailable', 'TLS failed; if the vault asks for a client certificate, check client_cert and client_key'];
  if (code.startsWith('HPE_')) return ['invalid', 'what answered does not speak HTTP as it should'];
  if (/^(UND_ERR|E[A-Z]{3,}$)/.test(code)) return ['unavailable', 'the connection broke'];
  return null;
}

/** The operator's refusal to connect, told as what was attempted: no attempt later goes better. Null for other errors. */
export function egressFailure(error: unknown, what: string): KeyferryError | null {
  if (!(error instanceof KeyferryError) || error.code !== 'egress_refused') return null;
  return vaultFailure('invalid', `Could not ${what}: ${error.message}`, { code: error.code });
}
